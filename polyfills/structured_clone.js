// SPDX-License-Identifier: MIT
// HTML, section 2.7, structuredClone, by V8's own serializer. ArrayBuffers in options.transfer move: their memory is
// not copied, and the old ones are detached. Other objects can't be transferred.
'use strict';
{
    const { clone } = native;
    native.transferList = (options) => {
        const list = options?.transfer;
        if (list === undefined)
            return [];
        const buffers = [...list];
        for (const buffer of buffers)
            if (!(buffer instanceof ArrayBuffer))
                throw new DOMException('Only ArrayBuffers can be transferred', 'DataCloneError');
        if (new Set(buffers).size !== buffers.length)
            throw new DOMException('An ArrayBuffer is to be transferred twice', 'DataCloneError');
        return buffers;
    };
    native.define('structuredClone', { structuredClone(value, options = undefined) {
        if (arguments.length === 0)
            throw new TypeError('structuredClone needs a value');
        if (options !== undefined && options !== null && typeof options !== 'object')
            throw new TypeError('The options must be an object');
        const buffers = native.transferList(options);
        return typeof value === 'object' || typeof value === 'function' || typeof value === 'symbol' ||
            buffers.length !== 0 ? clone(value, buffers) : value;
    } }.structuredClone);
}
