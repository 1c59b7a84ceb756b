// SPDX-License-Identifier: MIT
// Not a standard: what renders in a bundle (README.md, "What a bundle is"). native.find() looks
// through the globals and exports that a bundle has left and gives C one function (serial, url, data) =>
// result, with a line that says what was found; or it throws what is there and what is wanted.
'use strict';
{
    const { apply, ownKeys } = Reflect;
    const NativePromise = Promise;
    const globalEval = eval;
    const { request, article, refusal, settle } = native;
    const { DOMException, Event, Response } = native.own;
    const isFunction = (value) => typeof value === 'function';
    const isObject = (value) => typeof value === 'object' && value !== null || typeof value === 'function';

    let env = {};
    native.setEnv = (value) => {
        env = value;
        native.fillEnvironment(value);
    };
    native.getEnv = () => env;

    // ---- ssr.onRequest ----

    const hooks = [];
    ssr.onRequest = (hook) => {
        if (!isFunction(hook))
            throw new TypeError('ssr.onRequest takes a function');
        hooks.push(hook);
    };
    async function hooked(first, made, from, render) {
        await first;
        for (let i = from; i < hooks.length; i++)
            await apply(hooks[i], undefined, [made]);
        return render(made);
    }
    // Each hook, then the render; a hook that gives a promise is waited for.
    function run(serial, render) {
        const made = request(serial);
        for (let i = 0; i < hooks.length; i++) {
            const result = apply(hooks[i], undefined, [made]);
            if (typeof result?.then === 'function')
                return settle(hooked(result, made, i + 1, render));
        }
        return settle(render(made));
    }

    // ---- the callers ----

    // Every render passes here: without hooks it makes no closure, and without `this` no list.
    const pages = (fn, self) => self === undefined
        ? (serial, url, data) => hooks.length === 0 ? settle(fn(url, data === undefined ? {} : data, request(serial)))
            : run(serial, (made) => fn(url, data === undefined ? {} : data, made))
        : (serial, url, data) => run(serial, (made) => apply(fn, self, [url, data === undefined ? {} : data, made]));

    class ExecutionContext {
        #serial;
        constructor(serial, data) {
            this.#serial = serial;
            this.data = data === undefined ? {} : data;
            this.props = {};
        }
        waitUntil(promise) { native.waitUntil(this.#serial, NativePromise.resolve(promise)); }
        passThroughOnException() { } // a stub: there is nothing behind us to pass to
    }
    native.tag(ExecutionContext, 'ExecutionContext');
    // Keeps the render open when its answer is out (worker/js_lasting.cc); a rejection is told on the console.
    native.waitUntil = (serial, promise) => {
        native.last(serial, promise);
        promise.then(undefined, native.report);
    };

    const fetches = (fn, self) => (serial, url, data) =>
        run(serial, (made) => apply(fn, self, [made, env, new ExecutionContext(serial, data)]));

    // ---- addEventListener('fetch') ----

    class FetchEvent extends Event {
        #request;
        #context;
        #response;
        constructor(type, init) {
            super(type);
            this.#request = init.request;
            this.#context = init.context;
        }
        get request() { return this.#request; }
        respondWith(response) {
            if (this.#response !== undefined)
                throw new DOMException('respondWith() was called already', 'InvalidStateError');
            this.#response = NativePromise.resolve(response);
            this.stopImmediatePropagation();
        }
        waitUntil(promise) { this.#context.waitUntil(promise); }
        passThroughOnException() { }
        static {
            native.responseOf = (event) => event.#response;
        }
    }
    native.tag(FetchEvent, 'FetchEvent');
    const target = new EventTarget();
    let listeners = 0;
    native.define('addEventListener', (type, callback, options) => {
        if (String(type) === 'fetch' && callback !== null && callback !== undefined)
            listeners++;
        target.addEventListener(type, callback, options);
    });
    native.define('removeEventListener', (type, callback, options) =>
        target.removeEventListener(type, callback, options));
    native.define('dispatchEvent', (event) => target.dispatchEvent(event));
    native.define('FetchEvent', FetchEvent);

    const listened = (serial, url, data) => run(serial, (made) => {
        const event = new FetchEvent('fetch', { request: made, context: new ExecutionContext(serial, data) });
        target.dispatchEvent(event);
        const response = native.responseOf(event);
        if (response === undefined)
            throw refusal('no listener of "fetch" has called respondWith()');
        return response;
    });

    // ---- gateways ----

    const INERTIA = 1;
    const HYPERNOVA = 2;
    const nothing = () => ({ status: 404, headers: { 'content-type': 'text/plain' }, cache: { ttl: 0 },
        body: 'This bundle answers through its gateway alone.\n' });

    // What a page function gives Inertia or Hypernova: its own shape, or a string.
    const plainResult = async (result) => result instanceof Response
        ? { status: result.status, body: await result.text() } : result;

    // (serial, url, data, protocol) -> what the gateway answers. fn: the bundle's page function, or null.
    function gateways(space, fn) {
        const asPage = (serial, page) => {
            if (fn === null)
                throw refusal('the bundle has neither called createServer nor exports a function for pages');
            return fn.length === 1 ? fn(page) : fn(String(page?.url ?? '/'), page, request(serial));
        };
        // What all objects inherit is nobody's component.
        const named = (components, name) => isObject(components) && components[name] !== Object.prototype[name]
            ? components[name] : undefined;
        const own = () => isFunction(space?.getComponent) ? space.getComponent
            : isFunction(globalThis.getComponent) ? globalThis.getComponent
                : (wanted) => named(space?.components ?? space?.default?.components ?? globalThis.components, wanted) ??
                    (isFunction(space?.[wanted]) ? space[wanted] : undefined);
        const component = (serial) => async (name, context) => {
            const found = await own()(name, context);
            if (isFunction(found) || fn === null || isFunction(space?.getComponent ?? globalThis.getComponent))
                return found;
            return async (props) => {
                const result = await plainResult(await fn('/' + name, props, request(serial)));
                if (typeof result === 'string')
                    return result;
                context.statusCode = result?.status ?? 200;
                if (context.statusCode === 404)
                    throw refusal('Component "' + name + '" not registered');
                return result?.body ?? result?.html;
            };
        };
        return (serial, url, data, protocol) =>
            settle(native.gateway(protocol, data, async (page) => plainResult(await asPage(serial, page)), component(serial)));
    }

    // ---- looking for it ----

    // The value at a dotted name under root, and what it is a method of; null: nothing there.
    function walk(root, name) {
        let self;
        let value = root;
        for (const part of name.split('.')) {
            self = value;
            value = isObject(self) ? self[part] : undefined;
        }
        return value === undefined ? null : { value, self };
    }

    // Declared by const or let at the top of a script: no property of globalThis.
    function declared(name) {
        if (!/^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*$/.test(name))
            return null;
        try {
            const dot = name.lastIndexOf('.');
            return { value: globalEval(name), self: dot === -1 ? globalThis : globalEval(name.slice(0, dot)) };
        } catch {
            return null; // not declared: found() tells what is there
        }
    }

    const takes = (fn) => fn.length >= 3; // (url, data, request)
    const page = (at, text) => {
        const self = at.self === globalThis ? undefined : at.self;
        const bare = self === undefined ? at.value : at.value.bind(self);
        return [pages(at.value, self), text, false, takes(at.value), bare];
    };
    const handler = (fn, self, text) => [fetches(fn, self), text, true, true];

    function inGlobals(name) {
        const own = walk(globalThis, name);
        const at = isFunction(own?.value) ? own : declared(name);
        if (isFunction(at?.value))
            return page(at, 'sets ' + name + '(url, data, request)');
        if (isFunction(globalThis.default?.fetch))
            return handler(globalThis.default.fetch, globalThis.default, 'sets default.fetch(request, env, ctx)');
        if (isFunction(globalThis.fetchHandler))
            return handler(globalThis.fetchHandler, undefined, 'sets fetchHandler(request, env, ctx)');
        if (listeners !== 0)
            return [listened, 'listens to "fetch"', true, true];
        return null;
    }

    function inExports(space, name) {
        const named = walk(space, name);
        if (isFunction(named?.value))
            return page({ value: named.value, self: named.self === space ? undefined : named.self },
                'exports ' + name + '(url, data, request)');
        // A CommonJS module that a build wrapped has its exports as default, or as default.default.
        for (const [whole, text] of [[space.default, 'default'], [space.default?.default, 'default.default']]) {
            if (isObject(whole) && isFunction(whole.fetch))
                return handler(whole.fetch, whole, 'exports ' + text + '.fetch(request, env, ctx)');
            if (isFunction(whole))
                return page({ value: whole, self: undefined }, 'exports a ' + text + ' function (url, data, request)');
            if (isObject(whole) && isFunction(whole[name]))
                return page({ value: whole[name], self: whole }, 'exports ' + text + '.' + name + '(url, data, request)');
        }
        if (isFunction(space.render))
            return page({ value: space.render, self: undefined }, 'exports render(url, data)');
        return null;
    }

    // ---- what is wrong ----

    let before = new Set();
    native.whenConfigured(() => {
        before = new Set(ownKeys(globalThis));
    });

    function globalsFound() {
        const names = ownKeys(globalThis).filter((key) => typeof key === 'string' && !before.has(key));
        if (names.length === 0)
            return 'it set no globals';
        const list = names.slice(0, 20).map((name) => {
            const own = Object.getOwnPropertyDescriptor(globalThis, name);
            return name + ' (' + ('value' in own ? article(own.value) : 'an accessor') + ')';
        });
        const inside = pathInside(names);
        return 'it set ' + list.join(', ') + (names.length > 20 ? ', ...' : '') +
            (inside === null ? '' : ' whose ' + inside.name + ' would do: set bundle.function to ' + inside.path);
    }
    // Builds with a global name (UMD, iife) put what the bundle exports into one object.
    function pathInside(names) {
        for (const name of names) {
            const { value } = Object.getOwnPropertyDescriptor(globalThis, name);
            const found = isObject(value) ? ['renderPage', 'render', 'default'].find((key) => isFunction(value[key])) : undefined;
            if (found !== undefined)
                return { name: found, path: name + '.' + found };
        }
        return null;
    }

    function exportsFound(space) {
        const names = ownKeys(space).filter((key) => typeof key === 'string');
        if (names.length === 0)
            return 'an ES module that exports nothing';
        const list = names.slice(0, 20).map((name) => {
            const kind = isFunction(space[name]) ? '' : ' (' + article(space[name]) + ')';
            return '`' + name + '`' + kind;
        });
        return 'an ES module that exports only ' + list.join(', ') + (names.length > 20 ? ', ...' : '');
    }

    function missing(name, space) {
        if (space !== undefined)
            return exportsFound(space) + '; export ' + name + ' or a default fetch handler';
        const value = walk(globalThis, name)?.value;
        return 'globalThis.' + name + ' ' + (value === undefined ? 'is not there' : 'is ' + article(value)) + ': ' +
            globalsFound() + '; wanted: globalThis.' + name +
            ' = (url, data, request) => html (another name: bundle.function), or a fetch handler';
    }

    function throughGateway(space, bits) {
        if ((bits & INERTIA) !== 0 && native.hasServer())
            return [nothing, 'calls createServer(page => ...)', false, false];
        if ((bits & HYPERNOVA) !== 0 && (isFunction(space?.getComponent ?? globalThis.getComponent) ||
            isObject(space?.components ?? space?.default?.components ?? globalThis.components)))
            return [nothing, 'has components by name', false, false];
        if (native.hasServer())
            throw refusal('it calls createServer(page => ...), as a server bundle of Inertia does; wanted besides: ' +
                'gateway: [{protocol: inertia, listen: 127.0.0.1:13714}] in the config');
        return null;
    }

    // (bundle.function, the module's namespace or undefined, bits of the gateways) ->
    // [call, text, is fetch, takes a Request, call of the gateways]
    native.find = (name, space, bits) => {
        native.setWanted(name);
        const found = (space === undefined ? null : inExports(space, name)) ?? inGlobals(name) ??
            throughGateway(space, bits);
        if (found === null)
            throw refusal(missing(name, space));
        const kind = space === undefined ? 'a script that ' : 'an ES module that ';
        return [found[0], kind + found[1], found[2], found[3], gateways(space, found[4] ?? null)];
    };
}
