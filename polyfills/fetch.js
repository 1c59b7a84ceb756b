// SPDX-License-Identifier: MIT
// Fetch Standard, sections 4.3 to 4.6 and 5.6, as a server needs it: no CORS, no cookies, no cache. C does one
// request at a time (worker/fetch.h); redirects, abort and streams are here. The asks of C:
//   fetch.head ID           -> "200 OK\nname\nvalue...": the first of a fetch
//   fetch.begin ID AGO order -> the bytes of the answer that nobody has read, at its end; rejects with the failure
//   fetch.read ID           -> bytes, or undefined: see the end
//   fetch.all ID            the answer will be taken whole
//   fetch.send ID, fetch.sent ID, fetch.cancel ID
'use strict';
{
    const { ask, requestState } = native;
    const { Headers, Request, URL } = native.own;
    const { empty, isNull, isUnusable, take, bytesOf, streamOf, ofNetwork } = native.body;
    const REDIRECTS = [301, 302, 303, 307, 308];
    const REDIRECTS_MAX = 20;
    const SHORT_BYTES = 65536;
    // Section 2.2.2, forbidden request-headers: as far as they are the connection's, not the application's.
    const FORBIDDEN = new Set(['connection', 'content-length', 'expect', 'host', 'keep-alive', 'proxy-authorization',
        'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade']);
    const OF_BODY = ['content-encoding', 'content-language', 'content-location', 'content-type', 'content-length'];
    const OF_ORIGIN = ['authorization', 'cookie', 'proxy-authorization'];
    const NULL_BODY = [204, 205, 304];
    // Section 2.9, bad ports: what listens there takes lines of a request for commands of its own.
    const BAD_PORTS = new Set([1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
        103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
        526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045,
        4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080]);
    const now = native.clockNow;
    const ignore = () => { };
    let last = 0;

    // Who catches it sees where and why; who does not, reads it in the log.
    function failure(url, cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        const error = new TypeError('fetch failed: ' + reason, { cause });
        if (cause instanceof Error)
            cause.host = new URL(url).host;
        return error;
    }

    // ---- bodies of requests ----

    async function pump(id, stream) {
        const reader = stream.getReader();
        try {
            for (;;) {
                const { done, value } = await reader.read();
                if (done)
                    break;
                if (!(value instanceof Uint8Array))
                    throw new TypeError('A chunk of a body must be a Uint8Array');
                await ask('fetch.send\n' + id, value);
            }
            await ask('fetch.sent\n' + id);
        } catch (error) {
            ask('fetch.cancel\n' + id).catch(ignore);
            reader.cancel(error).catch(ignore);
            throw error;
        }
    }

    // ---- bodies of answers ----

    // end: a promise of what nobody has read. As a stream it is asked for piece by piece, and C stops reading when
    // its buffer is full; as a whole it comes with the end.
    function networkBody(id, end) {
        return ofNetwork({
            all() {
                ask('fetch.all\n' + id).catch(ignore);
                return end();
            },
            stream: () => new (native.load('streams.js').ReadableStream)({
                type: 'bytes',
                async pull(controller) {
                    let bytes = await ask('fetch.read\n' + id);
                    const isOver = bytes === undefined;
                    if (isOver)
                        bytes = await end();
                    if (bytes.byteLength !== 0)
                        controller.enqueue(bytes);
                    if (isOver) {
                        controller.close();
                        controller.byobRequest?.respond(0);
                    }
                },
                cancel: () => ask('fetch.cancel\n' + id).then(ignore, ignore),
            }, { highWaterMark: 0 }),
        });
    }

    function answer(url, redirected, text, body) {
        const lines = text.split('\n');
        const space = lines[0].indexOf(' ');
        const status = Number(space === -1 ? lines[0] : lines[0].slice(0, space));
        const headers = new Headers();
        let isCoded = false;
        for (let i = 1; i + 1 < lines.length; i += 2) {
            const name = lines[i].toLowerCase();
            isCoded ||= name === 'content-encoding';
            headers.append(name, lines[i + 1]);
        }
        if (isCoded) { // undone already: who passes the answer on must not say otherwise
            headers.delete('content-encoding');
            headers.delete('content-length');
        }
        native.freezeHeaders(headers);
        return native.newResponse({ status, statusText: space === -1 ? '' : lines[0].slice(space + 1), headers, body,
            type: 'default', url, redirected });
    }

    // Section 4.2, "scheme fetch", of a data: URL: no network has a part in it
    function ofDataUrl(url) {
        const read = native.load('data_url.js').read(url);
        if (read === null)
            throw failure(url, new Error('not a data: URL that can be read'));
        const headers = new Headers({ 'content-type': read.type });
        native.freezeHeaders(headers);
        return native.newResponse({ status: 200, statusText: 'OK', headers, body: { ...empty(), source: read.bytes },
            type: 'default', url, redirected: false });
    }
    // URL takes some hosts that the standard has refused since 2021 (worker/url_host.c): no request goes there.
    const likeNumber = /(?:^|\.)(?:\d+|0x[\da-f]*)\.?$/;
    const address = /^\d+\.\d+\.\d+\.\d+$/;
    const control = /[\0-\x20\x7f]/;
    function checkPlace(url) {
        const { hostname, port } = new URL(url);
        if (control.test(hostname) || likeNumber.test(hostname) && !address.test(hostname))
            throw failure(url, new Error('the host is no name and no address: ' + encodeURI(hostname)));
        if (port !== '' && BAD_PORTS.has(Number(port)))
            throw failure(url, new Error('bad port ' + port + ': the Fetch Standard forbids it'));
    }

    // ---- one request ----

    function orderOf(state, streams) {
        let text = state.method + '\n' + state.url + '\n' + (streams ? 'stream' : 'whole');
        const flat = native.flatHeaders(state.headers);
        for (let i = 0; i < flat.length; i += 2)
            if (!FORBIDDEN.has(flat[i]) && !flat[i].startsWith('sec-'))
                text += '\n' + flat[i] + '\n' + flat[i + 1];
        return text;
    }

    // A promise of [text of the head, id, () => the rest].
    async function send(state, source, stream, since, signal) {
        const id = ++last;
        let reason;
        const head = ask('fetch.head\n' + id);
        head.catch(ignore);
        const end = ask('fetch.begin\n' + id + '\n' + Math.round(now() - since) + '\n' +
            orderOf(state, stream !== null), source === null ? undefined : source);
        const stop = () => {
            reason = { is: signal.reason };
            ask('fetch.cancel\n' + id).catch(ignore);
        };
        signal?.addEventListener('abort', stop);
        const over = () => signal?.removeEventListener('abort', stop);
        end.then(over, over);
        const sending = stream === null ? null : pump(id, stream);
        let broken;
        sending?.catch((error) => { broken = { is: error }; });
        const judge = (error) => {
            throw reason !== undefined ? reason.is : broken !== undefined ? broken.is : failure(state.url, error);
        };
        let text;
        try {
            text = await head;
        } catch (error) {
            judge(error);
        }
        if (text === undefined)
            judge(new Error('ended before its answer'));
        const rest = () => end.then((bytes) => reason !== undefined || bytes === undefined ? judge(new Error('it was ended'))
            : bytes, judge);
        return [text, id, rest];
    }

    // ---- redirects: section 4.5, HTTP-redirect fetch ----

    // Servers send paths in UTF-8 as they are, whose bytes are a character each here.
    function fromBytes(text) {
        if (/^[\0-\x7f]*$/.test(text))
            return text;
        const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
        return native.utf8Decode(bytes, true, true) ?? text;
    }
    function nextUrl(state, location) {
        let url = null;
        try {
            url = new URL(fromBytes(location), state.url);
        } catch { } // told below
        if (url === null || url.protocol !== 'http:' && url.protocol !== 'https:')
            throw failure(state.url, new Error('redirected to what is no URL of http: ' + location));
        if (url.hash === '')
            url.hash = new URL(state.url).hash;
        if (url.username !== '' || url.password !== '')
            throw failure(state.url, new Error('redirected to a URL with a user name'));
        return url;
    }

    // The state of the next request; null: this is none.
    function redirected(state, status, location, hasStream) {
        const url = nextUrl(state, location);
        const headers = native.copyHeaders(state.headers);
        let { method } = state;
        let dropsBody = false;
        if (hasStream && status !== 303)
            throw failure(state.url, new Error('redirected, and its body, a stream, can\'t be sent again'));
        if ((status === 301 || status === 302) && method === 'POST' ||
            status === 303 && method !== 'GET' && method !== 'HEAD') {
            method = 'GET';
            dropsBody = true;
            for (const name of OF_BODY)
                headers.delete(name);
        }
        if (url.origin !== new URL(state.url).origin)
            for (const name of OF_ORIGIN)
                headers.delete(name);
        return [{ method, url: url.href, headers }, dropsBody];
    }

    function headerOf(text, wanted) {
        const lines = text.split('\n');
        for (let i = 1; i + 1 < lines.length; i += 2)
            if (lines[i].toLowerCase() === wanted)
                return lines[i + 1];
        return null;
    }

    async function follow(request, signal) {
        const since = now();
        const options = requestState(request);
        let state = { method: options.method, url: options.url, headers: options.headers };
        if (!/^https?:/.test(state.url))
            throw failure(state.url, new Error('only http:, https: and data: are reached, not ' + state.url.slice(0, 200)));
        const { body } = options;
        const hasStream = body.stream !== null || body.network !== null;
        let source = null;
        let stream = null;
        if (hasStream) {
            stream = streamOf(body);
        } else if (!isNull(body)) {
            source = take(body);
            if (typeof source !== 'string')
                source = bytesOf(source);
        }
        body.used = !isNull(body);
        for (let count = 0; ; count++) {
            checkPlace(state.url);
            const [text, id, rest] = await send(state, source, stream, since, signal);
            const status = Number(text.slice(0, 3));
            const location = REDIRECTS.includes(status) ? headerOf(text, 'location') : null;
            if (location === null || options.options.redirect === 'manual') {
                const hasBody = state.method !== 'HEAD' && !NULL_BODY.includes(status);
                if (!hasBody)
                    rest().catch(ignore);
                return answer(state.url, count !== 0, text, hasBody ? networkBody(id, rest) : empty());
            }
            // a short body is let in, so that its connection can be used again
            if (Number(headerOf(text, 'content-length') ?? Infinity) <= SHORT_BYTES) {
                await rest();
            } else {
                rest().catch(ignore);
                ask('fetch.cancel\n' + id).catch(ignore);
            }
            if (options.options.redirect === 'error')
                throw failure(state.url, new Error('redirected, and redirect is "error"'));
            if (count === REDIRECTS_MAX)
                throw failure(state.url, new Error('redirected more than ' + REDIRECTS_MAX + ' times'));
            const [next, dropsBody] = redirected(state, status, location, hasStream);
            state = next;
            if (dropsBody)
                source = stream = null;
        }
    }

    // Section 5.6. C has no part in what fails here: bad arguments, a body that was read, a signal that was aborted.
    async function fetch(input, init = undefined) {
        native.idl.need(1, arguments.length, 'fetch');
        if (typeof input === 'string' && input.startsWith('/') && !input.startsWith('//'))
            throw new TypeError('fetch of ' + input.slice(0, 200) + ': a server has no page that a relative URL could begin at; ' +
                'give the whole URL');
        const request = new Request(input, init);
        const state = requestState(request);
        const signal = state.signal ?? state.source;
        signal?.throwIfAborted();
        if (state.url.startsWith('data:'))
            return ofDataUrl(state.url);
        native.hasFetched = true;
        if (isUnusable(state.body))
            throw new TypeError('The body has been read already, or is locked');
        return follow(request, signal);
    }
    native.define('fetch', fetch);
}
