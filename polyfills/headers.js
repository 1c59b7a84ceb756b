// SPDX-License-Identifier: MIT
// Fetch Standard, section 5.1, Headers. Those of a render's request stay in C until somebody looks: each question is
// noted there, since a page that looked at a cookie must not be shared.
'use strict';
{
    const RENDER = native.RENDER = Symbol('render');
    const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
    const unclean = /[\0\r\n]/;
    const { requestHeader, requestHeaders, readsOf } = native;
    const { bytes, strip, need, pairs, iterable } = native.idl;

    // Few names are ever used; bounded, since pages may take names from requests.
    const known = new Map();
    const cleanName = (name) => {
        const seen = known.get(name);
        if (seen !== undefined)
            return seen;
        const text = bytes(name);
        if (!token.test(text))
            throw new TypeError('Invalid header name: ' + text);
        const lower = text.toLowerCase();
        if (typeof name === 'string' && known.size < 256 && name.length < 64)
            known.set(name, lower);
        return lower;
    };
    const clean = /^(?:[!-~\x80-\xff](?:[ -~\x80-\xff]*[!-~\x80-\xff])?)?$/;
    const cleanValue = (value) => {
        if (typeof value === 'string' && clean.test(value))
            return value;
        const text = strip(bytes(value));
        if (unclean.test(text))
            throw new TypeError('Invalid header value');
        return text;
    };
    const FEW = 32;
    const byName = ([a], [b]) => a < b ? -1 : a > b ? 1 : 0;

    class Headers {
        #list = null;      // [name, value][], names lower case
        #serial = 0;       // of the render whose request's headers these are: asked of C while #list is null
        #sorted = null;    // what walks over, until something changes
        #immutable = false;
        constructor(init = undefined, serial = 0) {
            if (init === RENDER) {
                this.#serial = serial;
                return;
            }
            this.#list = [];
            if (init === undefined)
                return;
            if (init === null || typeof init !== 'object' && typeof init !== 'function')
                throw new TypeError('Headers takes an object, pairs or Headers');
            for (const [name, value] of pairs(init, bytes, 'Headers'))
                this.#list.push([cleanName(name), cleanValue(value)]);
        }
        static {
            // [name, value, name, value, ...], unsorted and uncombined
            native.flatHeaders = (headers) => headers.#all().flat();
            native.isHeaders = (value) => typeof value === 'object' && value !== null && #list in value;
            // A copy; one of a render's untouched headers goes on telling C what is read.
            native.copyHeaders = (headers) => {
                const copy = new Headers(RENDER, headers.#serial);
                if (headers.#list !== null)
                    copy.#list = headers.#list.map(([name, value]) => [name, value]);
                return copy;
            };
            native.freezeHeaders = (headers) => { headers.#immutable = true; };
        }
        #all() {
            if (this.#list === null) {
                const flat = requestHeaders(this.#serial);
                this.#list = [];
                for (let i = 0; i < flat.length; i += 2)
                    this.#list.push([flat[i], flat[i + 1]]);
            } else if (this.#serial !== 0) {
                readsOf(this.#serial);
            }
            return this.#list;
        }
        #change() {
            if (this.#immutable)
                throw new TypeError('These headers are immutable');
            this.#sorted = null;
            return this.#all();
        }
        // Section 2.2.2, "sort and combine"
        static #walk(headers) {
            const list = headers.#all(); // first: it tells whose headers are read
            if (headers.#sorted !== null)
                return headers.#sorted;
            if (list.length <= FEW)
                return headers.#sorted = Headers.#insert(list);
            const names = new Map();
            const cookies = [];
            for (const [name, value] of list) {
                if (name === 'set-cookie')
                    cookies.push([name, value]);
                else if (names.has(name))
                    names.set(name, names.get(name) + (name === 'cookie' ? '; ' : ', ') + value);
                else
                    names.set(name, value);
            }
            return headers.#sorted = [...names, ...cookies].sort(byName);
        }
        // The same for a few, each put in its place: no Map, no calls of a comparison
        static #insert(list) {
            const out = [];
            for (let i = 0; i < list.length; i++) {
                const [name, value] = list[i];
                let at = out.length;
                while (at > 0 && out[at - 1][0] > name)
                    at--;
                if (at > 0 && out[at - 1][0] === name && name !== 'set-cookie') {
                    out[at - 1][1] += (name === 'cookie' ? '; ' : ', ') + value;
                    continue;
                }
                for (let to = out.length; to > at; to--)
                    out[to] = out[to - 1];
                out[at] = [name, value];
            }
            return out;
        }
        get(name) {
            need(1, arguments.length, 'Headers.get');
            const wanted = cleanName(name);
            if (this.#list === null)
                return requestHeader(this.#serial, wanted);
            let found = null;
            for (const [own, value] of this.#all())
                if (own === wanted)
                    found = found === null ? value : found + (own === 'cookie' ? '; ' : ', ') + value;
            return found;
        }
        has(name) {
            need(1, arguments.length, 'Headers.has');
            return this.get(name) !== null;
        }
        getSetCookie() {
            return this.#all().filter(([name]) => name === 'set-cookie').map(([, value]) => value);
        }
        append(name, value) {
            need(2, arguments.length, 'Headers.append');
            const pair = [cleanName(name), cleanValue(value)];
            this.#change().push(pair);
        }
        set(name, value) {
            need(2, arguments.length, 'Headers.set');
            const wanted = cleanName(name);
            const clean = cleanValue(value);
            const list = this.#change();
            const at = list.findIndex(([own]) => own === wanted);
            if (at === -1) {
                list.push([wanted, clean]);
                return;
            }
            this.#list = list.filter(([own], i) => own !== wanted || i === at);
            this.#list[at] = [wanted, clean];
        }
        delete(name) {
            need(1, arguments.length, 'Headers.delete');
            const wanted = cleanName(name);
            this.#list = this.#change().filter(([own]) => own !== wanted);
        }
        static {
            iterable(Headers, 'Headers', Headers.#walk);
        }
    }
    native.tag(Headers, 'Headers');
    native.define('Headers', Headers);
}
