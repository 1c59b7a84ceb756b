// SPDX-License-Identifier: MIT
// Not a standard: the way from the bundle back to C. What the bundle's function returned becomes one
// flat array, whose values worker/js_result.cc checks.
'use strict';
{
    const NativePromise = Promise;
    const { responseState, flatHeaders, consume, takeStream, streamOpen, streamChunk, streamRoom, utf8Encode, utf8Decode } = native;
    const { extract } = native.body;
    const GlobalHeaders = Headers;
    const GlobalString = String;

    // An Error whose text is the message alone.
    const refusal = (message) => Object.defineProperty(new TypeError(message), 'name', { value: '' });
    const article = (value) => {
        if (value === null || value === undefined)
            return String(value);
        const type = Array.isArray(value) ? 'array' : typeof value;
        return (/^[aeiou]/.test(type) ? 'an ' : 'a ') + type;
    };
    let wanted = 'renderPage';

    const BEGINNING_BYTES = 256; // what tells a document from an inside stands in so many
    function join(first, second) {
        if (first.length === 0 || second.length === 0)
            return first.length === 0 ? second : first;
        const both = new Uint8Array(first.length + second.length);
        both.set(first);
        both.set(second, first.length);
        return both;
    }

    // A body that is a stream goes to C as it comes; C fetches parts of it or waits for the end.
    const isStream = (value) => typeof value === 'object' && value !== null && typeof value.getReader === 'function';
    // What stands around a stream, [before, behind]: its first bytes are held back until they tell whether it is a document itself,
    // which goes without. -> {bytes or undefined of a chunk, of the end}
    function framed([before, behind]) {
        let held = new Uint8Array(0);
        let isBegun = false;
        const begin = () => {
            isBegun = true;
            if (!isDocument.test(utf8Decode(held.subarray(0, BEGINNING_BYTES), false, false)))
                return join(utf8Encode(before), held);
            behind = '';
            return held;
        };
        return {
            of(chunk) {
                if (isBegun)
                    return chunk;
                held = join(held, chunk);
                return held.length < BEGINNING_BYTES && mayBeDocument(utf8Decode(held, false, false)) ? undefined : begin();
            },
            end: () => isBegun ? utf8Encode(behind) : join(begin(), utf8Encode(behind)),
        };
    }
    // frame: what stands around an inside, or null.
    async function pump(reader, serial, frame) {
        for (;;) {
            const { done, value } = await reader.read();
            if (done)
                break;
            if (!(value instanceof Uint8Array))
                throw new TypeError('A chunk of a body must be a Uint8Array');
            const bytes = frame === null ? value : frame.of(value);
            if (bytes !== undefined && streamChunk(serial, bytes))
                await streamRoom(serial);
        }
        if (frame !== null)
            streamChunk(serial, frame.end());
    }
    async function pass(stream, head, around = null) {
        const reader = stream.getReader();
        try {
            const serial = streamOpen(describe(head), reader);
            await pump(reader, serial, around === null ? null : framed(around));
        } catch (error) { // also where the rest of the page is none: nobody will read the stream
            reader.cancel(error).catch(() => { });
            throw error;
        }
        return head;
    }
    function whole(result) {
        if (typeof result !== 'object' || result === null ||
            native.streams === undefined && !native.hasFetched)
            return result; // where no stream was ever made, none is looked for
        const response = responseState(result);
        if (response !== null)
            return response.body.stream === null && response.body.network === null ? result
                : pass(takeStream(response), result);
        if (isStream(result.html)) {
            const { html, ...head } = result;
            return pass(extract(html).stream, { ...head, body: undefined }, frameOf(headOf(result)));
        }
        if (!isStream(result.body))
            return result;
        return pass(extract(result.body).stream, { ...result, body: undefined },
            template !== null && !('html' in result) && isHtml(headerList(result.headers)) ? frameOf('') : null);
    }

    // Thenables become promises; C looks at nothing else. What a promise gives C hands to whole() when it is there:
    // a reaction of ours would be one more microtask, and lost when another render's are.
    const settle = (result) => {
        if (typeof result !== 'object' || result === null)
            return result;
        return result instanceof NativePromise ? result
            : typeof result.then === 'function' ? NativePromise.resolve(result) : whole(result);
    };
    native.whole = whole;

    // ---- the inside of a page and what stands around it ----

    let template = null; // [before the head's outlet, up to the page's, behind it]
    const isDocument = /^\s*<(?:!doctype|html)[\s>]/i;
    const mayBeDocument = (text) => /^\s*(?:<(?:!(?:d(?:o(?:c(?:t(?:y(?:pe?)?)?)?)?)?)?|h(?:t(?:ml?)?)?)?)?$/i.test(text);

    native.setTemplate = (...parts) => {
        template = parts;
    };

    // A whole document, of the template or, for {html, head} without one, of the least there must be.
    const frameOf = (head) => template !== null ? [template[0] + head + template[1], template[2]]
        : ['<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n' + head + '\n</head>\n<body>\n', '\n</body>\n</html>\n'];
    function documentOf(html, head) {
        if (isDocument.test(html))
            return html;
        if (template !== null)
            return template[0] + head + template[1] + html + template[2];
        const [before, behind] = frameOf(head);
        return before + html + behind;
    }

    // What the page's client side loads (manifest.js), unless it has a Link of its own.
    function withLinks(headers, modules) {
        if (native.linkHeader === undefined || !isHtml(headers))
            return headers;
        for (let i = 0; i < headers.length; i += 2)
            if (/^link$/i.test(headers[i]))
                return headers;
        const link = native.linkHeader(modules);
        return link === '' ? headers : [...headers, 'link', link];
    }

    const isHtml = (headers) => {
        for (let i = 0; i < headers.length; i += 2)
            if (/^content-type$/i.test(headers[i]))
                return /^text\/html(?:\s*;|$)/i.test(headers[i + 1]);
        return true; // text/html, unless it says otherwise
    };

    // What Vite's entry-server returns: {html, head}; head may be several strings.
    function insideOf(page, headers) {
        if (!('html' in page))
            return template !== null && typeof page.body === 'string' && isHtml(headers) ?
                documentOf(page.body, '') : bodyOf(page.body);
        const html = page.html instanceof GlobalString ? `${page.html}` : page.html;
        if (typeof html !== 'string')
            throw refusal('html must be a string or a ReadableStream, not ' + article(page.html));
        return documentOf(html, headOf(page));
    }

    function headOf(page) {
        const head = page.head ?? '';
        if (typeof head !== 'string' && !Array.isArray(head))
            throw refusal('head must be a string or strings, not ' + article(head));
        return Array.isArray(head) ? head.join('\n') : head;
    }

    native.setWanted = (name) => {
        wanted = name;
    };
    native.settle = settle;
    native.refusal = refusal;
    native.article = article;

    function headerList(headers) {
        if (headers === undefined || headers === null)
            return [];
        if (headers instanceof GlobalHeaders)
            return flatHeaders(headers);
        if (typeof headers !== 'object')
            throw refusal('headers must be an object, pairs or Headers, not ' + article(headers));
        const pairs = typeof headers[Symbol.iterator] === 'function' ? [...headers] : Object.entries(headers);
        const flat = [];
        for (const pair of pairs) {
            if (!Array.isArray(pair) || pair.length !== 2)
                throw refusal('headers: each must be a pair of name and value');
            const [name, value] = pair;
            for (const one of Array.isArray(value) ? value : [value])
                if (one !== undefined && one !== null)
                    flat.push(String(name), String(one));
        }
        return flat;
    }

    function bodyOf(body) {
        if (body === undefined || body === null || typeof body === 'string' || ArrayBuffer.isView(body) ||
            body instanceof ArrayBuffer)
            return body;
        if (body instanceof GlobalString)
            return `${body}`;
        throw refusal('body must be a string, a Uint8Array or a ReadableStream, not ' + article(body));
    }

    // cache.vary has no place of its own: it is the header Vary.
    function varyList(vary) {
        if (vary === undefined)
            return [];
        const names = Array.isArray(vary) ? vary : [vary];
        if (!names.every((name) => typeof name === 'string'))
            throw refusal('cache.vary must be a string or strings');
        return names.length === 0 ? [] : ['vary', names.join(', ')];
    }

    function pageOf(page) {
        if (!['status', 'headers', 'body', 'html', 'cache'].some((key) => key in page))
            throw refusal(wanted + ' returned an object without status, headers, body or html (it has: ' +
                (Object.keys(page).slice(0, 10).join(', ') || 'nothing') +
                '); return a string, an object {status, headers, body} or a Response');
        const cache = page.cache ?? {};
        if (typeof cache !== 'object')
            throw refusal('cache must be an object, not ' + article(cache));
        const tags = cache.tags ?? [];
        if (!Array.isArray(tags))
            throw refusal('cache.tags must be an array of strings, not ' + article(tags));
        const headers = headerList(page.headers);
        return [page.status ?? 200, insideOf(page, headers), Boolean(cache.private), cache.ttl, cache.swr, cache.sie,
            [...withLinks(headers, page.modules), ...varyList(cache.vary)], tags];
    }

    // -> [status, body, private, ttl, swr, sie, [name, value, ...], [tag, ...]]
    // or, with a template or a manifest, string -> string.
    const describe = (result) => {
        if (typeof result === 'string') {
            const body = template !== null ? documentOf(result, '') : result;
            const headers = withLinks([], undefined);
            return headers.length === 0 ? body : [200, body, false, undefined, undefined, undefined, headers, []];
        }
        const response = responseState(result);
        if (response !== null)
            return [response.status, consume(response), false, undefined, undefined, undefined,
                withLinks(flatHeaders(response.headers), undefined), []];
        if (typeof result !== 'object' || result === null || Array.isArray(result))
            throw refusal(wanted + ' returned ' + article(result) +
                '; return a string, an object {status, headers, body} or a Response');
        return pageOf(result);
    };
    native.describe = describe;
}
