// SPDX-License-Identifier: MIT
// HTML, section 2.7, structuredClone, by V8's own serializer. ArrayBuffers in options.transfer move: their memory is
// not copied, and the old ones are detached. Other objects can't be transferred.
'use strict';
{
    const { clone, isPlain } = native;
    const { DOMException } = native.own;
    const { getPrototypeOf, keys } = Object;
    const { isArray } = Array;
    const ObjectPrototype = Object.prototype;
    const ArrayPrototype = Array.prototype;
    const OTHER = Symbol('other');

    // Trees of plain objects and arrays, which most of what is cloned is; OTHER where something else comes up: then V8's
    // serializer begins anew, and a getter that had run runs again.
    function copy(value, seen) {
        if (typeof value !== 'object' || value === null)
            return typeof value === 'function' || typeof value === 'symbol' ? OTHER : value;
        const known = seen.get(value);
        if (known !== undefined)
            return known;
        const prototype = getPrototypeOf(value);
        if (!isPlain(value))
            return OTHER;
        const names = keys(value);
        if (prototype === ArrayPrototype && isArray(value)) {
            if (names.length !== value.length)
                return OTHER; // holes, or names that are no indices
            const to = [];
            seen.set(value, to);
            for (let i = 0; i < value.length; i++) {
                const item = copy(value[i], seen);
                if (item === OTHER)
                    return OTHER;
                to.push(item);
            }
            return to;
        }
        if (prototype !== ObjectPrototype)
            return OTHER;
        const to = {};
        seen.set(value, to);
        for (const name of names) {
            const item = name === '__proto__' ? OTHER : copy(value[name], seen);
            if (item === OTHER)
                return OTHER;
            to[name] = item;
        }
        return to;
    }
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
        if (typeof value === 'object' && value !== null && buffers.length === 0) {
            const made = copy(value, new Map());
            if (made !== OTHER)
                return made;
        }
        return typeof value === 'object' || typeof value === 'function' || typeof value === 'symbol' ||
            buffers.length !== 0 ? clone(value, buffers) : value;
    } }.structuredClone);
}
