// SPDX-License-Identifier: MIT
// URL Standard, section 6: URL and URLSearchParams. Parsing is native (worker/url.h); a URL here is its serialization and where
// its parts are in it.
'use strict';
{
    const { urlParse, urlCanParse, urlSet, urlOffsets: at, formDecode, formEncode } = native;
    const { usv, need, pairs, iterable } = native.idl;
    const NONE = 0xffffffff;
    const PROTOCOL = 0, USERNAME = 1, PASSWORD = 2, HOST = 3, HOSTNAME = 4, PORT = 5, PATHNAME = 6, SEARCH = 7,
        HASH = 8;
    const SPECIAL = /^(?:https?|wss?|ftp):$/;
    const plain = /^[A-Za-z0-9*\-._]*$/;

    const decode = (text) => text.includes('%') || text.includes('+') ? formDecode(text) : text;
    const encode = (text) => plain.test(text) ? text : formEncode(text);

    // Section 5.1
    function parseForm(text) {
        const list = [];
        let sign = text.indexOf('='); // the first '=' from here on; -1: there is none
        for (let from = 0, end = 0; from < text.length; from = end + 1) {
            end = text.indexOf('&', from);
            if (end === -1)
                end = text.length;
            if (end === from)
                continue;
            if (sign !== -1 && sign < from)
                sign = text.indexOf('=', from);
            list[list.length] = sign === -1 || sign > end ? [decode(text.slice(from, end)), '']
                : [decode(text.slice(from, sign)), decode(text.slice(sign + 1, end))];
        }
        return list;
    }

    let paramsOf, resetParams, writeQuery;
    class URLSearchParams {
        #list;
        #url = null; // whose query this is
        constructor(init = '') {
            if (init === null || typeof init !== 'object' && typeof init !== 'function') {
                const text = usv(init);
                this.#list = parseForm(text.charCodeAt(0) === 63 ? text.slice(1) : text);
            } else {
                this.#list = pairs(init, usv, 'URLSearchParams');
            }
        }
        static {
            paramsOf = (url, query) => {
                const params = new URLSearchParams();
                params.#list = parseForm(query);
                params.#url = url;
                return params;
            };
            resetParams = (params, query) => { params.#list = parseForm(query); };
            native.isSearchParams = (value) => typeof value === 'object' && value !== null && #list in value;
        }
        #changed() {
            if (this.#url !== null)
                writeQuery(this.#url, this.toString());
        }
        get size() { return this.#list.length; }
        append(name, value) {
            need(2, arguments.length, 'URLSearchParams.append');
            this.#list.push([usv(name), usv(value)]);
            this.#changed();
        }
        delete(name, value = undefined) {
            need(1, arguments.length, 'URLSearchParams.delete');
            const wanted = usv(name);
            const only = value === undefined ? undefined : usv(value);
            this.#list = this.#list.filter(([own, its]) => own !== wanted || only !== undefined && its !== only);
            this.#changed();
        }
        get(name) {
            need(1, arguments.length, 'URLSearchParams.get');
            const wanted = usv(name);
            const list = this.#list;
            for (let i = 0; i < list.length; i++)
                if (list[i][0] === wanted)
                    return list[i][1];
            return null;
        }
        getAll(name) {
            need(1, arguments.length, 'URLSearchParams.getAll');
            const wanted = usv(name);
            return this.#list.filter(([own]) => own === wanted).map(([, value]) => value);
        }
        has(name, value = undefined) {
            need(1, arguments.length, 'URLSearchParams.has');
            const wanted = usv(name);
            const only = value === undefined ? undefined : usv(value);
            return this.#list.some(([own, its]) => own === wanted && (only === undefined || its === only));
        }
        set(name, value) {
            need(2, arguments.length, 'URLSearchParams.set');
            const wanted = usv(name);
            const given = usv(value);
            const first = this.#list.findIndex(([own]) => own === wanted);
            if (first === -1) {
                this.#list.push([wanted, given]);
            } else {
                this.#list = this.#list.filter(([own], i) => own !== wanted || i === first);
                this.#list[first] = [wanted, given];
            }
            this.#changed();
        }
        sort() {
            this.#list.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
            this.#changed();
        }
        toString() {
            let text = '';
            for (const [name, value] of this.#list)
                text += (text === '' ? '' : '&') + encode(name) + '=' + encode(value);
            return text;
        }
        static {
            iterable(URLSearchParams, 'URLSearchParams', (params) => params.#list);
        }
    }
    native.tag(URLSearchParams, 'URLSearchParams');

    // What native left in `at`, kept.
    const keep = (href) => ({
        href, protocolEnd: at[0], usernameEnd: at[1], hostStart: at[2], hostEnd: at[3], port: at[4],
        pathnameStart: at[5], searchStart: at[6], hashStart: at[7],
    });
    const host = (u) => u.href.slice(u.href.charCodeAt(u.hostStart) === 64 ? u.hostStart + 1 : u.hostStart, u.hostEnd);
    const search = (u) => {
        if (u.searchStart === NONE)
            return '';
        const end = u.hashStart === NONE ? u.href.length : u.hashStart;
        return end - u.searchStart <= 1 ? '' : u.href.slice(u.searchStart, end);
    };
    const parse = (text, base) => {
        const href = urlParse(text, base);
        return href === undefined ? null : keep(href);
    };

    class URL {
        #u;
        #params = null;
        constructor(url, base = undefined) {
            need(1, arguments.length, 'URL');
            const text = `${url}`;
            const from = base === undefined ? undefined : `${base}`;
            const href = urlParse(text, from);
            if (href === undefined)
                throw invalid(text, from);
            this.#u = keep(href);
        }
        static {
            writeQuery = (url, query) => {
                const href = urlSet(url.#u.href, SEARCH, query);
                if (href !== undefined)
                    url.#u = keep(href);
            };
        }
        static canParse(url, base = undefined) {
            need(1, arguments.length, 'URL.canParse');
            return urlCanParse(`${url}`, base === undefined ? undefined : `${base}`);
        }
        static parse(url, base = undefined) {
            need(1, arguments.length, 'URL.parse');
            try {
                return new URL(url, base);
            } catch (error) {
                if (error?.code === 'ERR_INVALID_URL')
                    return null;
                throw error;
            }
        }
        #set(part, value) {
            const u = this.#u;
            const href = urlSet(u.href, part, `${value}`);
            if (href !== undefined && href !== u.href)
                this.#u = keep(href);
            if (part === SEARCH && this.#params !== null)
                resetParams(this.#params, search(this.#u).slice(1));
        }
        get href() { return this.#u.href; }
        set href(value) {
            const text = `${value}`;
            const href = urlParse(text, undefined);
            if (href === undefined)
                throw invalid(text);
            this.#u = keep(href);
            if (this.#params !== null)
                resetParams(this.#params, search(this.#u).slice(1));
        }
        get origin() {
            const u = this.#u;
            const protocol = u.href.slice(0, u.protocolEnd);
            if (SPECIAL.test(protocol))
                return protocol + '//' + host(u) + (u.port === NONE ? '' : ':' + u.port);
            if (protocol !== 'blob:')
                return 'null';
            const inner = parse(u.href.slice(u.pathnameStart), undefined);
            return inner !== null && /^https?:/.test(inner.href) ? new URL(inner.href).origin : 'null';
        }
        get protocol() { return this.#u.href.slice(0, this.#u.protocolEnd); }
        set protocol(value) { this.#set(PROTOCOL, value); }
        get username() {
            const u = this.#u;
            return u.usernameEnd > u.protocolEnd + 2 ? u.href.slice(u.protocolEnd + 2, u.usernameEnd) : '';
        }
        set username(value) { this.#set(USERNAME, value); }
        get password() {
            const u = this.#u;
            return u.hostStart > u.usernameEnd ? u.href.slice(u.usernameEnd + 1, u.hostStart) : '';
        }
        set password(value) { this.#set(PASSWORD, value); }
        get host() {
            const u = this.#u;
            return u.port === NONE ? host(u) : host(u) + ':' + u.port;
        }
        set host(value) { this.#set(HOST, value); }
        get hostname() { return host(this.#u); }
        set hostname(value) { this.#set(HOSTNAME, value); }
        get port() { return this.#u.port === NONE ? '' : `${this.#u.port}`; }
        set port(value) { this.#set(PORT, value); }
        get pathname() {
            const u = this.#u;
            return u.href.slice(u.pathnameStart, u.searchStart !== NONE ? u.searchStart
                : u.hashStart !== NONE ? u.hashStart : undefined);
        }
        set pathname(value) { this.#set(PATHNAME, value); }
        get search() { return search(this.#u); }
        set search(value) { this.#set(SEARCH, value); }
        get searchParams() { return this.#params ??= paramsOf(this, search(this.#u).slice(1)); }
        get hash() {
            const u = this.#u;
            return u.hashStart === NONE || u.href.length - u.hashStart <= 1 ? '' : u.href.slice(u.hashStart);
        }
        set hash(value) { this.#set(HASH, value); }
        toString() { return this.#u.href; }
        toJSON() { return this.#u.href; }
    }
    // As in Node.js, whose code and properties people look at.
    function invalid(input, base) {
        const error = new TypeError('Invalid URL');
        error.code = 'ERR_INVALID_URL';
        error.input = input;
        if (base !== undefined)
            error.base = base;
        return error;
    }
    native.tag(URL, 'URL');

    // For other files: { href, username } or null, no object of a class
    // Relative ones mean something only where a bundle has set a location.
    native.parseUrl = (text) => {
        const base = globalThis.location?.href;
        const u = parse(text, undefined) ?? (typeof base === 'string' ? parse(text, base) : null);
        return u === null ? null : { href: u.href, username: u.hostStart > u.protocolEnd + 2 };
    };
    native.define('URL', URL);
    native.define('URLSearchParams', URLSearchParams);
}
