// SPDX-License-Identifier: MIT
// Fetch Standard, section 5: Headers, Request, Response. Bodies are a string or bytes, no streams yet: the
// body attribute is null. The Request of a render is empty until somebody looks: each question goes
// to C, which notes the headers that were read.
'use strict';
{
    const RENDER = Symbol('render');
    const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
    const unclean = /[\0\r\n]|[^\0-\xff]/;
    const { requestUrl, requestMethod, requestHeader, requestHeaders } = native;

    const cleanName = (name) => {
        const text = String(name);
        if (!token.test(text))
            throw new TypeError('Invalid header name: ' + text);
        return text.toLowerCase();
    };
    const cleanValue = (value) => {
        const text = String(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '');
        if (unclean.test(text))
            throw new TypeError('Invalid header value');
        return text;
    };

    let flatten;
    class Headers {
        #list = null;   // [name, value][], names lower case
        #serial = 0;    // of the render whose request's headers these are, while #list is null
        constructor(init, serial) {
            if (init === RENDER) {
                this.#serial = serial;
                return;
            }
            this.#list = [];
            if (init === undefined)
                return;
            if (init === null || typeof init !== 'object' && typeof init !== 'function')
                throw new TypeError('Headers takes an object, pairs or Headers');
            if (typeof init[Symbol.iterator] === 'function') {
                for (const pair of init) {
                    const [name, value, ...rest] = pair;
                    if (value === undefined || rest.length !== 0)
                        throw new TypeError('Each header must be a pair of name and value');
                    this.append(name, value);
                }
            } else {
                for (const name of Reflect.ownKeys(init))
                    if (Object.getOwnPropertyDescriptor(init, name)?.enumerable)
                        this.append(name, init[name]);
            }
        }
        static {
            // [name, value, name, value, ...], unsorted and uncombined
            flatten = (headers) => headers.#all().flat();
        }
        #all() {
            if (this.#list === null) {
                const flat = requestHeaders(this.#serial);
                this.#list = [];
                for (let i = 0; i < flat.length; i += 2)
                    this.#list.push([flat[i], flat[i + 1]]);
            }
            return this.#list;
        }
        // Section 5.1, "sort and combine"
        #sorted() {
            const names = new Map();
            const cookies = [];
            for (const [name, value] of this.#all()) {
                if (name === 'set-cookie')
                    cookies.push([name, value]);
                else if (names.has(name))
                    names.set(name, names.get(name) + (name === 'cookie' ? '; ' : ', ') + value);
                else
                    names.set(name, value);
            }
            return [...names, ...cookies].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
        }
        get(name) {
            const wanted = cleanName(name);
            if (this.#list === null)
                return requestHeader(this.#serial, wanted);
            let found = null;
            for (const [own, value] of this.#list)
                if (own === wanted)
                    found = found === null ? value : found + (own === 'cookie' ? '; ' : ', ') + value;
            return found;
        }
        has(name) { return this.get(name) !== null; }
        getSetCookie() {
            return this.#all().filter(([name]) => name === 'set-cookie').map(([, value]) => value);
        }
        append(name, value) { this.#all().push([cleanName(name), cleanValue(value)]); }
        set(name, value) {
            const wanted = cleanName(name);
            const clean = cleanValue(value);
            const list = this.#all();
            const at = list.findIndex(([own]) => own === wanted);
            if (at === -1) {
                list.push([wanted, clean]);
                return;
            }
            this.#list = list.filter(([own], i) => own !== wanted || i === at);
            this.#list[at] = [wanted, clean];
        }
        delete(name) {
            const wanted = cleanName(name);
            this.#list = this.#all().filter(([own]) => own !== wanted);
        }
        forEach(callback, self) {
            for (const [name, value] of this.#sorted())
                Reflect.apply(callback, self, [value, name, this]);
        }
        * entries() { yield* this.#sorted(); }
        * keys() {
            for (const [name] of this.#sorted())
                yield name;
        }
        * values() {
            for (const [, value] of this.#sorted())
                yield value;
        }
    }
    Object.defineProperty(Headers.prototype, Symbol.iterator,
        { value: Headers.prototype.entries, writable: true, configurable: true });
    native.tag(Headers, 'Headers');

    // Section 5.2, BodyInit: the bytes or the text as they were given, and the type they imply.
    function extract(body) {
        if (body === null || body === undefined)
            return { body: null, type: null };
        if (ArrayBuffer.isView(body))
            return { body: new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice(), type: null };
        if (body instanceof ArrayBuffer)
            return { body: new Uint8Array(body.slice(0)), type: null };
        if (typeof body === 'object' && typeof body.getReader === 'function')
            throw new TypeError('A ReadableStream as body is not available in this version yet: streams come later');
        return { body: String(body), type: 'text/plain;charset=UTF-8' };
    }

    // Section 5.3, Body mixin, over an object with {body, used}
    const encoder = new TextEncoder();
    const decoder = new TextDecoder('utf-8');
    function consume(state) {
        if (state.body === null)
            return '';
        if (state.used)
            throw new TypeError('The body has been read already');
        state.used = true;
        return state.body;
    }
    const asText = (body) => typeof body === 'string' ? body : decoder.decode(body);
    const asBytes = (body) => typeof body === 'string' ? encoder.encode(body) : body.slice();
    const mixin = (constructor, state) => {
        const methods = {
            get body() { state(this); return null; },
            get bodyUsed() { return state(this).used; },
            async text() { return asText(consume(state(this))); },
            async json() { return JSON.parse(asText(consume(state(this)))); },
            async bytes() { return asBytes(consume(state(this))); },
            async arrayBuffer() { return asBytes(consume(state(this))).buffer; },
        };
        for (const name of Object.keys(methods))
            Object.defineProperty(constructor.prototype, name,
                { ...Object.getOwnPropertyDescriptor(methods, name), enumerable: true });
    };

    const standard = /^(?:delete|get|head|options|post|put)$/i;
    let requestState;
    class Request {
        #state; // a number: the serial of the render it belongs to, not looked at yet
        constructor(input, init = {}) {
            if (input === RENDER) {
                this.#state = init;
                return;
            }
            const from = input instanceof Request ? requestState(input) : null;
            const method = init?.method === undefined ? from?.method ?? 'GET' : String(init.method);
            const state = {
                url: from === null ? String(input) : from.url,
                method: standard.test(method) ? method.toUpperCase() : method,
                headers: null, signal: init?.signal ?? from?.signal ?? null, body: null, used: false,
            };
            if (!token.test(state.method) || /^(?:connect|trace|track)$/i.test(state.method))
                throw new TypeError('Invalid method: ' + state.method);
            // An untouched copy of a render's request goes on telling C what is read.
            state.headers = init?.headers !== undefined ? new Headers(init.headers)
                : from === null ? new Headers()
                    : from.serial !== undefined ? new Headers(RENDER, from.serial) : new Headers(from.headers);
            if (init?.body !== undefined && init.body !== null) {
                if (state.method === 'GET' || state.method === 'HEAD')
                    throw new TypeError('A ' + state.method + ' request has no body');
                const { body, type } = extract(init.body);
                state.body = body;
                if (type !== null && !state.headers.has('content-type'))
                    state.headers.append('content-type', type);
            } else if (from !== null && from.body !== null) {
                state.body = consume(from);
            }
            this.#state = state;
        }
        static {
            requestState = (request) => {
                const state = request.#state;
                if (typeof state !== 'number')
                    return state;
                return request.#state = {
                    url: requestUrl(state) ?? '', method: requestMethod(state) ?? 'GET',
                    headers: new Headers(RENDER, state), serial: state, signal: null, body: null, used: false,
                };
            };
        }
        get url() { return requestState(this).url; }
        get method() { return requestState(this).method; }
        get headers() { return requestState(this).headers; }
        get signal() { return requestState(this).signal ??= native.newSignal(); }
        get redirect() { return 'follow'; }
        get mode() { return 'cors'; }
        get credentials() { return 'same-origin'; }
        get cache() { return 'default'; }
        get destination() { return ''; }
        get referrer() { return 'about:client'; }
        get referrerPolicy() { return ''; }
        get integrity() { return ''; }
        get keepalive() { return false; }
        clone() {
            const state = requestState(this);
            if (state.used)
                throw new TypeError('The body has been read already');
            const copy = new Request(RENDER, 0);
            copy.#state = { ...state, headers: state.serial !== undefined
                ? new Headers(RENDER, state.serial) : new Headers(state.headers) };
            return copy;
        }
    }
    mixin(Request, (request) => requestState(request));
    native.tag(Request, 'Request');
    native.request = (serial) => new Request(RENDER, serial);

    const NULL_BODY = [101, 103, 204, 205, 304];
    let responseState;
    class Response {
        #state;
        constructor(body = null, init = {}) {
            const status = init?.status === undefined ? 200 : Number(init.status);
            if (!Number.isInteger(status) || status < 200 || status > 599)
                throw new RangeError('The status of a Response must be from 200 to 599');
            const content = extract(body);
            if (content.body !== null && NULL_BODY.includes(status))
                throw new TypeError('A Response with status ' + status + ' has no body');
            const headers = new Headers(init?.headers);
            if (content.type !== null && !headers.has('content-type'))
                headers.append('content-type', content.type);
            this.#state = { status, statusText: String(init?.statusText ?? ''), headers,
                body: content.body, used: false, type: 'default' };
        }
        static {
            responseState = (value) => typeof value === 'object' && value !== null && #state in value
                ? value.#state : null;
        }
        static json(data, init = {}) {
            const text = JSON.stringify(data);
            if (text === undefined)
                throw new TypeError('Response.json needs a value that JSON can hold');
            const headers = new Headers(init?.headers);
            if (!headers.has('content-type'))
                headers.set('content-type', 'application/json');
            return new Response(text, { ...init, headers });
        }
        static redirect(url, status = 302) {
            if (![301, 302, 303, 307, 308].includes(status))
                throw new RangeError('Not the status of a redirect: ' + status);
            return new Response(null, { status, headers: { location: String(url) } });
        }
        static error() {
            const response = new Response();
            response.#state.type = 'error';
            response.#state.status = 0;
            return response;
        }
        get status() { return this.#state.status; }
        get statusText() { return this.#state.statusText; }
        get ok() { return this.#state.status >= 200 && this.#state.status <= 299; }
        get headers() { return this.#state.headers; }
        get type() { return this.#state.type; }
        get url() { return ''; }
        get redirected() { return false; }
        clone() {
            if (this.#state.used)
                throw new TypeError('The body has been read already');
            const copy = new Response();
            copy.#state = { ...this.#state, headers: new Headers(this.#state.headers) };
            return copy;
        }
    }
    mixin(Response, (response) => responseState(response));
    native.tag(Response, 'Response');

    native.responseState = responseState;
    native.flatHeaders = (headers) => flatten(headers);
    native.consume = consume;
    native.define('Headers', Headers);
    native.define('Request', Request);
    native.define('Response', Response);
}
