// SPDX-License-Identifier: MIT
// globalThis.ssr (INTERFACE: "What a bundle is").
'use strict';
{
    const { stringify } = JSON;
    const { isView } = ArrayBuffer;
    const { isArray } = Array;
    const TTL_S = 300; // as cache.ttl: auto
    const TTL_MAX_S = 10 * 365 * 86400;
    const TAGS_MAX = 64;

    const keyOf = (key) => {
        if (typeof key !== 'string' || key === '')
            throw new TypeError('ssr.cache: the key must be a string that is not empty');
        return key;
    };
    const ttlOf = (ttl = TTL_S) => {
        if (typeof ttl !== 'number' || !(ttl >= 0))
            throw new TypeError('ssr.cache.set: ttl must be a number of seconds, 0 or more');
        return (ttl < TTL_MAX_S ? ttl : TTL_MAX_S) * 1000;
    };
    const tagsOf = (tags = []) => {
        if (!isArray(tags) || tags.length > TAGS_MAX || tags.some((tag) => typeof tag !== 'string'))
            throw new TypeError('ssr.cache.set: tags must be an array of at most 64 strings');
        return tags;
    };
    // Fragments: kept beside the pages, in the memory that all workers share. A value comes back as a
    // copy; what was not there, has expired, was purged, evicted or made by another bundle is undefined.
    const cache = {
        get(key) {
            return native.fragmentGet(keyOf(key));
        },
        // Strings and bytes are kept as they are (bytes come back as a Uint8Array), anything else as JSON.
        // False: it is not kept: too large, no room, a ttl of 0, or purged while it was made.
        set(key, value, { ttl, tags } = {}) {
            keyOf(key);
            const kept = tagsOf(tags);
            const ms = ttlOf(ttl);
            if (typeof value === 'string' || isView(value) || value instanceof ArrayBuffer)
                return native.fragmentSet(key, value, false, ms, kept);
            const text = stringify(value);
            if (text === undefined)
                throw new TypeError('ssr.cache.set: a value must be a string, bytes, or what JSON can hold');
            return native.fragmentSet(key, text, true, ms, kept);
        },
        // True: there was one.
        delete(key) {
            return native.fragmentDelete(keyOf(key));
        },
    };
    const unsafe = /[<>&\u2028\u2029]/g;
    const escapes = { '<': '\\u003c', '>': '\\u003e', '&': '\\u0026', '\u2028': '\\u2028', '\u2029': '\\u2029' };
    const escape = (c) => escapes[c];
    native.define('ssr', {
        version: '',
        generation: 0,
        cache,
        // For <script nonce> and Content-Security-Policy: a mark, in whose place each answer has a nonce of its own.
        get nonce() {
            return native.nonce();
        },
        // JSON that can stand inside of <script>: neither ends the element nor opens a comment.
        serialize(value) {
            const text = stringify(value);
            return text === undefined ? 'null' : text.replace(unsafe, escape);
        },
    });
    const { ssr } = globalThis;
    native.whenConfigured(() => {
        ssr.version = native.version;
        ssr.generation = native.generation;
    });
}
