// SPDX-License-Identifier: MIT
// Not a standard: what back ends' adapters call. An Inertia server bundle calls createServer(page => ...), which would
// listen on node:http; here the function is kept instead, and called for POST /render. Hypernova calls
// components by name. What they answer is JSON, made here; worker/gateway.c speaks the HTTP of it.
'use strict';
{
    const { stringify } = JSON;
    const { queueMicrotask } = native.own;
    const isFunction = (value) => typeof value === 'function';
    const CODES = { INERTIA: 1, HYPERNOVA: 2 };
    let render = null;  // page => {head, body}
    let server = null;  // (request, response) => ..., of node:http

    const keep = (handler) => {
        if (!isFunction(handler))
            throw new TypeError('createServer takes a function');
        render = handler;
    };
    const asModule = () => Object.assign((handler) => keep(handler), { default: keep, createServer: keep });
    for (const name of ['core', 'react', 'vue3', 'svelte'])
        native.provide('@inertiajs/' + name + '/server', asModule);

    // ---- node:http, as far as a server that is never connected to needs ----

    class IncomingMessage {
        #body;
        constructor(method, url, body) {
            Object.assign(this, { method, url, headers: { 'content-type': 'application/json' } });
            this.#body = body;
        }
        setEncoding() { return this; }
        on(type, listener) {
            if (type === 'data')
                queueMicrotask(() => listener(this.#body));
            else if (type === 'end')
                queueMicrotask(() => queueMicrotask(() => listener()));
            return this;
        }
        once(type, listener) { return this.on(type, listener); }
        addListener(type, listener) { return this.on(type, listener); }
        async * [Symbol.asyncIterator]() { yield this.#body; }
    }
    class ServerResponse {
        statusCode = 200;
        headers = {};
        headersSent = false;
        #body = '';
        #done;
        constructor(done) { this.#done = done; }
        setHeader(name, value) {
            this.headers[String(name).toLowerCase()] = value;
            return this;
        }
        getHeader(name) { return this.headers[String(name).toLowerCase()]; }
        writeHead(status, message, headers) {
            this.statusCode = status;
            this.headersSent = true;
            for (const [name, value] of Object.entries(headers ?? (typeof message === 'object' ? message : {}) ?? {}))
                this.setHeader(name, value);
            return this;
        }
        write(text) {
            this.#body += text;
            return true;
        }
        end(text) {
            if (text !== undefined && !isFunction(text))
                this.#body += text;
            this.#done({ status: this.statusCode, body: this.#body });
            return this;
        }
        on() { return this; }
        once() { return this; }
    }
    function createServer(options, handler) {
        server = isFunction(options) ? options : handler;
        const made = {
            listen(...values) {
                const started = values.find(isFunction);
                if (started !== undefined)
                    queueMicrotask(() => started());
                return made;
            },
            on: () => made, once: () => made, close: () => made, address: () => null,
        };
        return made;
    }
    native.provide('node:http', () => ({ createServer, IncomingMessage, ServerResponse }));
    native.provide('node:cluster', () => ({ isPrimary: false, isMaster: false, isWorker: true, workers: {}, on: () => { }, fork: () => { } }));
    native.provide('node:os', () => ({ cpus: () => [{}], availableParallelism: () => 1, EOL: '\n', platform: () => 'linux' }));

    const overHttp = (page) => new Promise((resolve, reject) => {
        const response = new ServerResponse(({ status, body }) => {
            if (status >= 400)
                reject(new Error('the server answered with status ' + status + ': ' + body.slice(0, 500)));
            else
                resolve(JSON.parse(body));
        });
        Promise.resolve(server(new IncomingMessage('POST', '/render', stringify(page)), response)).catch(reject);
    });

    // ---- errors ----

    // In the places of the sources, as the log has them.
    const stackOf = (error) => typeof error?.stack === 'string' ? native.locate(error.stack.replace(/\n +at (?:[^\n]*\()?ssr:[^\n]*/g, '')) : '';
    const messageOf = (error) => typeof error?.message === 'string' ? error.message : String(error);
    const placeOf = (stack) => /(?:\(|at )((?:[^()\s]|\s(?!at ))+:\d+:\d+)\)?/.exec(stack)?.[1];

    const browser = ('window document navigator location history localStorage sessionStorage screen self alert confirm ' +
        'prompt matchMedia requestAnimationFrame cancelAnimationFrame IntersectionObserver ResizeObserver MutationObserver ' +
        'HTMLElement Element Node Image XMLHttpRequest WebSocket getComputedStyle customElements indexedDB').split(' ');

    // The classes of Inertia's own server.
    function classify(message) {
        const missing = /(?:^|\b)([A-Za-z]+) is not defined/.exec(message)?.[1];
        if (missing !== undefined && browser.includes(missing))
            return { type: 'browser-api', browserApi: missing,
                hint: 'there is no browser here: use ' + missing + ' in an effect (onMounted, useEffect), which runs in the browser alone' };
        if (/(?:page|component)\b.*(?:not found|could not be (?:found|resolved))|(?:cannot|can't|unable to) (?:find|resolve|locate).*(?:page|component|module)|Page not found|is not available here/i.test(message))
            return { type: 'component-resolution',
                hint: 'no such page in the bundle: is it among what resolve() looks through, and is the bundle of this release?' };
        return { type: 'render', hint: 'see the stack for where the component threw' };
    }

    function inertiaFailure(error, page) {
        const message = messageOf(error);
        const stack = stackOf(error);
        return { status: 500, headers: { 'content-type': 'application/json' }, cache: { private: true }, body: stringify({
            error: message, component: page?.component ?? null, url: page?.url ?? null, stack,
            sourceLocation: placeOf(stack), timestamp: new Date().toISOString(), ...classify(message),
        }) };
    }

    const json = (value) => ({ status: 200, headers: { 'content-type': 'application/json' }, cache: { private: true },
        body: stringify(value) });

    // What a page function gives instead of Inertia's own {head, body}.
    const inertiaShape = (result) => typeof result === 'string' ? { head: [], body: result }
        : { ...result, head: Array.isArray(result?.head) ? result.head : result?.head ? [result.head] : [],
            body: result?.body ?? result?.html ?? '' };

    async function inertia(page, otherwise) {
        try {
            if (render !== null)
                return json(await render(page));
            if (server !== null)
                return json(await overHttp(page));
            return json(inertiaShape(await otherwise(page)));
        } catch (error) {
            native.report(error);
            return inertiaFailure(error, page);
        }
    }

    // ---- Hypernova ----

    // As its errorToSerializable()
    function serializable(error) {
        const like = error instanceof Error && typeof error.stack === 'string';
        const stack = like ? stackOf(error) : '';
        return { type: like ? error.type : 'Error', name: like ? error.name : 'Error', message: like ? error.message : error,
            stack: stack.split('\n    ') };
    }
    const notFound = (name) => {
        const error = new ReferenceError('Component "' + name + '" not registered');
        error.stack = 'ReferenceError: ' + error.message + '\n    at YOUR-COMPONENT-DID-NOT-REGISTER_' + name + ':1:1';
        return error;
    };

    async function job(token, { name, data, metadata }, find) {
        const start = native.clockNow();
        const context = { name, token, props: data, metadata: metadata ?? {}, statusCode: 200, duration: null, html: null, returnMeta: {} };
        let html = null;
        let error = null;
        try {
            const component = await find(name, context);
            if (!isFunction(component)) {
                context.statusCode = 404;
                throw notFound(name);
            }
            html = await component(data);
            if (!html) {
                context.statusCode = 500;
                html = null;
                throw new Error('HTML was not returned to Hypernova, this is most likely an error within your application. ' +
                    'Check your logs for any uncaught errors and/or rejections.');
            }
        } catch (thrown) {
            error = thrown ?? new Error('rejected with ' + thrown);
            html = null;
            if (context.statusCode === 200)
                context.statusCode = 500;
            if (context.statusCode !== 404)
                native.report(error);
        }
        return { name, html, meta: context.returnMeta, duration: native.clockNow() - start, statusCode: context.statusCode,
            success: html !== null, error: error === null ? null : serializable(error) };
    }

    async function hypernova(batch, find) {
        const tokens = Object.keys(batch);
        const done = await Promise.all(tokens.map((token) => job(token, Object(batch[token]), find)));
        return json({ success: true, error: null, results: Object.fromEntries(tokens.map((token, i) => [token, done[i]])) });
    }

    // (protocol, data, page => result, (name, context) => component) -> what C answers with
    native.gateway = (protocol, data, otherwise, find) => protocol === CODES.INERTIA
        ? inertia(data, otherwise) : hypernova(data, find);
    native.hasServer = () => render !== null || server !== null;
    native.offerCreateServer = () => native.define('createServer', keep);
}
