// SPDX-License-Identifier: MIT
// Fetch Standard, section 5.4, Request. That of a render is one number until somebody looks: url, method and headers
// are asked of C then. Where a request goes is not decided here, so mode, credentials and
// their like are kept and told, and do nothing.
'use strict';
{
    const { RENDER, requestUrl, requestMethod, requestBody, keepSignal, keptSignal, readsOf } = native;
    const { AbortSignal, Headers } = native.own;
    const { empty, extract, isNull, isUnusable, move, copy, mixin } = native.body;
    const { usv, bytes, need, dictionary, oneOf } = native.idl;
    const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
    const standard = /^(?:delete|get|head|options|post|put)$/i;
    const forbidden = /^(?:connect|trace|track)$/i;
    const DEFAULTS = {
        mode: 'cors', credentials: 'same-origin', cache: 'default', redirect: 'follow',
        referrer: 'about:client', referrerPolicy: '', integrity: '', keepalive: false, duplex: 'half',
    };
    const ENUMS = {
        mode: ['same-origin', 'no-cors', 'cors'],
        credentials: ['omit', 'same-origin', 'include'],
        cache: ['default', 'no-store', 'reload', 'no-cache', 'force-cache', 'only-if-cached'],
        redirect: ['follow', 'error', 'manual'],
        referrerPolicy: ['', 'no-referrer', 'no-referrer-when-downgrade', 'same-origin', 'origin', 'strict-origin',
            'origin-when-cross-origin', 'strict-origin-when-cross-origin', 'unsafe-url'],
        duplex: ['half'],
    };

    // One a render, aborted by C: the client has gone, or the deadline has come.
    function signalOfRender(serial) {
        let signal = keptSignal(serial);
        if (signal === undefined) {
            signal = native.newSignal();
            keepSignal(serial, signal);
        }
        return signal;
    }

    function cleanMethod(method) {
        const text = bytes(method);
        if (!token.test(text) || forbidden.test(text))
            throw new TypeError('Invalid method: ' + text);
        return standard.test(text) ? text.toUpperCase() : text;
    }
    function cleanUrl(input) {
        const text = usv(input);
        const url = native.parseUrl(text);
        if (url === null)
            throw new TypeError('Failed to parse URL from ' + text);
        if (url.username)
            throw new TypeError('A request\'s URL must not hold a user name or password');
        return url.href;
    }
    function readOptions(init, from) {
        const options = from === null ? DEFAULTS : from.options;
        const given = {};
        for (const key of Object.keys(ENUMS))
            if (init[key] !== undefined)
                given[key] = oneOf(init[key], ENUMS[key], key);
        if (init.integrity !== undefined)
            given.integrity = `${init.integrity}`;
        if (init.keepalive !== undefined)
            given.keepalive = Boolean(init.keepalive);
        if (init.referrer !== undefined) {
            const referrer = usv(init.referrer);
            const url = referrer === '' ? { href: referrer } : native.parseUrl(referrer);
            if (url === null)
                throw new TypeError('Failed to parse referrer ' + referrer);
            given.referrer = /^about:client$/i.test(url.href) ? 'about:client' : url.href;
        }
        const all = { ...options, ...given };
        if (all.cache === 'only-if-cached' && all.mode !== 'same-origin')
            throw new TypeError('only-if-cached needs the mode same-origin');
        if (all.mode === 'no-cors' && given.mode !== undefined && init.method !== undefined &&
            !/^(?:get|head|post)$/i.test(init.method))
            throw new TypeError('no-cors takes GET, HEAD or POST');
        return all;
    }

    let stateOf;
    class Request {
        #state; // a number: the serial of the render it belongs to, not looked at yet
        constructor(input, init = undefined) {
            if (input === RENDER) {
                this.#state = init;
                return;
            }
            need(1, arguments.length, 'Request');
            const from = typeof input === 'object' && input !== null && #state in input ? stateOf(input) : null;
            const given = dictionary(init, 'The second argument of Request');
            const state = {
                url: from === null ? cleanUrl(input) : from.url,
                method: given.method === undefined ? from === null ? 'GET' : from.method : cleanMethod(given.method),
                options: null, headers: null, signal: null, source: null, serial: null, isOwn: false,
                body: null,
            };
            if (given.window !== undefined && given.window !== null)
                throw new TypeError('window can only be null');
            state.options = readOptions(given, from);
            if (given.signal === undefined) {
                state.source = from === null ? null : from.signal ?? from.source;
                state.serial = from === null ? null : from.serial;
            } else if (given.signal !== null && !(given.signal instanceof AbortSignal)) {
                throw new TypeError('signal must be an AbortSignal');
            } else {
                state.source = given.signal;
            }
            state.headers = given.headers !== undefined ? new Headers(given.headers)
                : from === null ? new Headers() : native.copyHeaders(from.headers);
            const hasBody = given.body !== undefined && given.body !== null;
            if ((hasBody || given.body === undefined && from !== null && !isNull(from.body)) &&
                (state.method === 'GET' || state.method === 'HEAD'))
                throw new TypeError('A ' + state.method + ' request has no body');
            if (hasBody) {
                state.body = extract(given.body);
                if (state.body.stream !== null && given.duplex === undefined)
                    throw new TypeError('A stream as body needs duplex: "half"');
                if (state.body.type !== null && !state.headers.has('content-type'))
                    state.headers.append('content-type', state.body.type);
            } else {
                state.body = from === null || given.body === null ? empty() : move(from.body);
            }
            this.#state = state;
        }
        static {
            stateOf = (request) => {
                const state = request.#state;
                if (typeof state !== 'number') {
                    if (state.serial !== null)
                        readsOf(state.serial);
                    return state;
                }
                const method = requestMethod(state) ?? 'GET';
                const body = empty();
                if (method !== 'GET' && method !== 'HEAD')
                    body.source = requestBody(state) ?? null;
                return request.#state = {
                    url: requestUrl(state) ?? '', method, options: DEFAULTS,
                    headers: new Headers(RENDER, state), signal: null, source: null, serial: state, isOwn: true, body,
                };
            };
        }
        get method() { return stateOf(this).method; }
        get url() { return stateOf(this).url; }
        get headers() { return stateOf(this).headers; }
        get destination() { return stateOf(this) && ''; }
        get referrer() {
            const { referrer } = stateOf(this).options;
            return referrer;
        }
        get referrerPolicy() { return stateOf(this).options.referrerPolicy; }
        get mode() { return stateOf(this).options.mode; }
        get credentials() { return stateOf(this).options.credentials; }
        get cache() { return stateOf(this).options.cache; }
        get redirect() { return stateOf(this).options.redirect; }
        get integrity() { return stateOf(this).options.integrity; }
        get keepalive() { return stateOf(this).options.keepalive; }
        get duplex() { return stateOf(this).options.duplex; }
        get isReloadNavigation() { return stateOf(this) && false; }
        get isHistoryNavigation() { return stateOf(this) && false; }
        get signal() {
            const state = stateOf(this);
            if (state.signal === null) {
                const source = state.source ?? (state.serial === null ? null : signalOfRender(state.serial));
                state.signal = source === null ? native.newSignal()
                    : state.isOwn ? source : AbortSignal.any([source]);
            }
            return state.signal;
        }
        clone() {
            const state = stateOf(this);
            if (isUnusable(state.body))
                throw new TypeError('The body has been read already, or is locked');
            const twin = new Request(RENDER, 0);
            twin.#state = { ...state, headers: native.copyHeaders(state.headers), signal: null,
                source: state.signal ?? state.source, isOwn: false, body: copy(state.body) };
            return twin;
        }
    }
    mixin(Request, (request) => stateOf(request).body, (request) => stateOf(request).headers.get('content-type'));
    native.tag(Request, 'Request');
    native.requestState = stateOf;
    native.request = (serial) => new Request(RENDER, serial);
    native.define('Request', Request);
}
