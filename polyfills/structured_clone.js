// SPDX-License-Identifier: MIT
// HTML, section 2.7, structuredClone, by V8's own serializer. Buffers in options.transfer are copied and
// stay attached.
'use strict';
native.define('structuredClone', { structuredClone(value) {
    if (arguments.length === 0)
        throw new TypeError('structuredClone needs a value');
    return typeof value === 'object' || typeof value === 'function' || typeof value === 'symbol'
        ? native.clone(value) : value;
} }.structuredClone);
