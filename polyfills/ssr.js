// SPDX-License-Identifier: MIT
// globalThis.ssr (INTERFACE: "What a bundle is").
'use strict';
{
    const { stringify } = JSON;
    const unsafe = /[<>&\u2028\u2029]/g;
    const escapes = { '<': '\\u003c', '>': '\\u003e', '&': '\\u0026', '\u2028': '\\u2028', '\u2029': '\\u2029' };
    const escape = (c) => escapes[c];
    native.define('ssr', {
        version: native.version,
        generation: native.generation,
        // JSON that can stand inside of <script>: neither ends the element nor opens a comment.
        serialize(value) {
            const text = stringify(value);
            return text === undefined ? 'null' : text.replace(unsafe, escape);
        },
    });
}
