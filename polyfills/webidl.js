// SPDX-License-Identifier: MIT
// Web IDL: what the files of standards share. Conversions of arguments (section 3.2), iterable<> (section 3.7.9) and
// the shape of interfaces: members of a prototype are enumerable.
'use strict';
{
    const lone = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
    const surrogate = /[\ud800-\udfff]/;
    const wide = /[^\0-\xff]/;
    const IteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
    const { apply, ownKeys } = Reflect;
    const { toString } = Object.prototype;

    // Section 3.2.11, USVString
    const usv = (value) => {
        const text = `${value}`;
        return surrogate.test(text) ? text.replace(lone, '\ufffd') : text;
    };
    // Section 3.2.10, ByteString
    const bytes = (value) => {
        const text = `${value}`;
        if (wide.test(text))
            throw new TypeError('The text holds a character above U+00FF');
        return text;
    };
    // Without HTTP whitespace (Infra: and form feeds too) at both ends. A regular expression with $ looks at each run of it
    // within the text as often as the run is long.
    const strip = (text, formFeeds = false) => {
        const isBlank = (c) => c === 32 || c === 9 || c === 10 || c === 13 || formFeeds && c === 12;
        let from = 0;
        let to = text.length;
        while (from < to && isBlank(text.charCodeAt(from)))
            from++;
        while (to > from && isBlank(text.charCodeAt(to - 1)))
            to--;
        return text.slice(from, to);
    };
    const need = (wanted, given, what) => {
        if (given < wanted)
            throw new TypeError(`${what}: ${wanted} argument${wanted === 1 ? '' : 's'} required, ${given} given`);
    };
    const dictionary = (value, what) => {
        if (value === undefined || value === null)
            return {};
        if (typeof value !== 'object' && typeof value !== 'function')
            throw new TypeError(what + ' must be an object');
        return value;
    };
    const oneOf = (value, names, what) => {
        const text = `${value}`;
        if (!names.includes(text))
            throw new TypeError(`${what} can't be "${text}"`);
        return text;
    };
    // Section 3.2.13, sequence<>, and 3.2.14, record<>: pairs, converted; used by Headers, URLSearchParams
    const pairs = (init, convert, what) => {
        const method = init[Symbol.iterator];
        const list = [];
        if (method === undefined || method === null) {
            const seen = new Map();
            for (const key of ownKeys(init)) {
                if (!Object.getOwnPropertyDescriptor(init, key)?.enumerable)
                    continue;
                const name = convert(key);
                const value = convert(init[key]);
                if (seen.has(name))
                    list[seen.get(name)][1] = value;
                else
                    seen.set(name, list.push([name, value]) - 1);
            }
            return list;
        }
        if (typeof method !== 'function')
            throw new TypeError(what + ' must be iterable');
        for (const pair of { [Symbol.iterator]: () => apply(method, init, []) }) {
            if (pair === null || typeof pair !== 'object' && typeof pair !== 'function' ||
                typeof pair[Symbol.iterator] !== 'function')
                throw new TypeError(what + ': each must be a pair of name and value');
            const items = [];
            for (const item of pair)
                items.push(convert(item));
            if (items.length !== 2)
                throw new TypeError(what + ': each must be a pair of name and value');
            list.push(items);
        }
        return list;
    };
    // entries, keys, values, forEach and @@iterator; list(object) -> pairs as they are now, which every step asks for.
    const iterable = (constructor, name, list) => {
        const { prototype } = constructor;
        let start;
        class Iterator {
            #target;
            #kind;
            #index = 0;
            next() {
                if (!(#target in this))
                    throw new TypeError(`next needs an iterator of ${name}`);
                const now = list(this.#target);
                if (this.#index >= now.length)
                    return { value: undefined, done: true };
                const pair = now[this.#index++];
                return { value: this.#kind === 2 ? [pair[0], pair[1]] : pair[this.#kind], done: false };
            }
            static {
                start = (target, kind) => {
                    list(target); // throws where the receiver is another object
                    const iterator = new Iterator();
                    iterator.#target = target;
                    iterator.#kind = kind;
                    return iterator;
                };
            }
        }
        Object.setPrototypeOf(Iterator.prototype, IteratorPrototype);
        delete Iterator.prototype.constructor;
        Object.defineProperty(Iterator.prototype, 'next', { enumerable: true });
        Object.defineProperty(Iterator.prototype, Symbol.toStringTag, { value: name + ' Iterator', configurable: true });
        const methods = {
            entries() { return start(this, 2); },
            keys() { return start(this, 0); },
            values() { return start(this, 1); },
            forEach(callback, self = undefined) {
                let now = list(this);
                need(1, arguments.length, name + '.forEach');
                if (typeof callback !== 'function')
                    throw new TypeError(name + '.forEach needs a function');
                for (let i = 0; i < now.length; i++, now = list(this))
                    apply(callback, self, [now[i][1], now[i][0], this]);
            },
        };
        for (const key of Object.keys(methods))
            Object.defineProperty(prototype, key, { value: methods[key], writable: true, configurable: true });
        Object.defineProperty(prototype, Symbol.iterator,
            { value: prototype.entries, writable: true, configurable: true });
    };

    // The last thing a file does to its class: the tag, and members as the standards have them.
    const tag = native.tag;
    native.tag = (constructor, name) => {
        tag(constructor, name);
        for (const target of [constructor, constructor.prototype]) {
            for (const key of Object.getOwnPropertyNames(target)) {
                const own = Object.getOwnPropertyDescriptor(target, key);
                if (key !== 'constructor' && key !== 'prototype' && own.configurable &&
                    (own.get !== undefined || typeof own.value === 'function'))
                    Object.defineProperty(target, key, { enumerable: true });
            }
        }
    };
    // Also of another realm, or shared
    native.isBuffer = (value) => {
        const name = typeof value === 'object' && value !== null ? toString.call(value) : '';
        return value instanceof ArrayBuffer || name === '[object ArrayBuffer]' || name === '[object SharedArrayBuffer]';
    };
    native.idl = { usv, bytes, strip, need, dictionary, oneOf, pairs, iterable };
}
