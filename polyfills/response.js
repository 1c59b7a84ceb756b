// SPDX-License-Identifier: MIT
// Fetch Standard, section 5.5, Response.
'use strict';
{
    const { empty, extract, isNull, isUnusable, copy, mixin } = native.body;
    const { bytes, need, dictionary, usv } = native.idl;
    const { Headers } = native.own;
    const NULL_BODY = [101, 103, 204, 205, 304];
    const reasonPhrase = /^[\t \x21-\x7e\x80-\xff]*$/;
    const UNREAD = Symbol('unread');

    let stateOf;
    class Response {
        #state;
        constructor(body = null, init = undefined) {
            if (init === UNREAD) {
                this.#state = body;
                return;
            }
            const given = dictionary(init, 'The second argument of Response');
            const status = given.status === undefined ? 200 : toShort(given.status);
            if (status < 200 || status > 599)
                throw new RangeError('The status of a Response must be from 200 to 599');
            const statusText = given.statusText === undefined ? '' : bytes(given.statusText);
            if (!reasonPhrase.test(statusText))
                throw new TypeError('Invalid statusText');
            const headers = new Headers(given.headers);
            const content = extract(body);
            if (!isNull(content)) {
                if (NULL_BODY.includes(status))
                    throw new TypeError('A Response with status ' + status + ' has no body');
                if (content.type !== null && !headers.has('content-type'))
                    headers.append('content-type', content.type);
            }
            this.#state = { status, statusText, headers, body: content, type: 'default', url: '' };
        }
        static {
            stateOf = (response) => response.#state;
            native.newResponse = (state) => new Response(state, UNREAD);
            native.responseState = (value) => typeof value === 'object' && value !== null && #state in value
                ? value.#state : null;
        }
        static error() {
            const headers = new Headers();
            native.freezeHeaders(headers);
            return new Response({ status: 0, statusText: '', headers, body: empty(), type: 'error', url: '' }, UNREAD);
        }
        static redirect(url, status = 302) {
            need(1, arguments.length, 'Response.redirect');
            const text = usv(url);
            const code = toShort(status);
            // Section 5.5 wants an absolute URL; a path is taken as it is, since it means what a browser makes of it.
            const parsed = native.parseUrl(text);
            if (parsed === null && !/^[/.?#]/.test(text))
                throw new TypeError('Failed to parse URL from ' + text);
            if (![301, 302, 303, 307, 308].includes(code))
                throw new RangeError('Not the status of a redirect: ' + code);
            const headers = new Headers({ location: parsed === null ? escaped(text) : parsed.href });
            native.freezeHeaders(headers);
            return new Response({ status: code, statusText: '', headers, body: empty(), type: 'default', url: '' },
                UNREAD);
        }
        static json(data, init = undefined) {
            need(1, arguments.length, 'Response.json');
            const text = JSON.stringify(data);
            if (text === undefined)
                throw new TypeError('Response.json needs a value that JSON can hold');
            const given = dictionary(init, 'The second argument of Response.json');
            const headers = new Headers(given.headers);
            if (!headers.has('content-type'))
                headers.set('content-type', 'application/json');
            return new Response(text, { status: given.status, statusText: given.statusText, headers });
        }
        get type() { return this.#state.type; }
        get url() { return this.#state.url; }
        get redirected() { return this.#state.redirected === true; }
        get status() { return this.#state.status; }
        get ok() { return this.#state.status >= 200 && this.#state.status <= 299; }
        get statusText() { return this.#state.statusText; }
        get headers() { return this.#state.headers; }
        clone() {
            const state = this.#state;
            if (isUnusable(state.body))
                throw new TypeError('The body has been read already, or is locked');
            return new Response({ ...state, headers: native.copyHeaders(state.headers), body: copy(state.body) }, UNREAD);
        }
    }
    // Web IDL, section 3.2.4.5, unsigned short
    function toShort(value) {
        const number = Number(value);
        return Number.isFinite(number) ? Math.trunc(number) % 65536 : 0;
    }
    // What a URL can't hold as it is; what is escaped already stays so.
    const escaped = (text) => encodeURI(text).replace(/%25/g, '%');
    mixin(Response, (response) => stateOf(response).body, (response) => stateOf(response).headers.get('content-type'));
    native.tag(Response, 'Response');
    native.define('Response', Response);
}
