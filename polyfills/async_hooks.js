// SPDX-License-Identifier: MIT
// AsyncLocalStorage and AsyncResource as Node.js has them (https://nodejs.org/api/async_context.html), on the
// frame that V8 carries along with promises and C with timers (worker/js_frame.cc): undefined, the
// serial of a render, or [serial, storage, value, storage, value, ...], never changed once made. Also a
// global, which React's server build for the edge asks for.
'use strict';
{
    const { apply } = Reflect;
    const { frame, setFrame, currentSerial, isOpen } = native;

    // One frame from another: without this storage, or with its new value.
    const derive = (from, storage, has, value) => {
        const to = [typeof from === 'object' ? from[0] : from];
        let at = 1;
        if (typeof from === 'object')
            for (let i = 1; i < from.length; i += 2)
                if (from[i] !== storage) {
                    to[at++] = from[i];
                    to[at++] = from[i + 1];
                }
        if (has) {
            to[at++] = storage;
            to[at] = value;
        }
        return to;
    };
    const runIn = (inside, callback, self, args) => {
        const before = frame();
        setFrame(inside);
        try {
            return apply(callback, self, args);
        } finally {
            setFrame(before);
        }
    };
    // A frame kept by somebody, for a later call: its storages; but what a render does that has
    // ended is done for the one that runs now.
    const revive = (kept) => {
        const serial = typeof kept === 'object' ? kept[0] : kept;
        if (serial !== undefined && isOpen(serial))
            return kept;
        const now = currentSerial();
        if (typeof kept !== 'object')
            return now;
        const copy = [now];
        for (let i = 1; i < kept.length; i++)
            copy[i] = kept[i];
        return copy;
    };
    const bind = (callback, self) => {
        if (typeof callback !== 'function')
            throw new TypeError('What is bound must be a function');
        const kept = frame();
        return function (...args) {
            return runIn(revive(kept), callback, self === undefined ? this : self, args);
        };
    };

    class AsyncLocalStorage {
        #initial;
        #name;
        constructor(options = {}) {
            this.#initial = options?.defaultValue;
            this.#name = options?.name === undefined ? '' : String(options.name);
        }
        get name() { return this.#name; }
        static bind(callback) { return bind(callback); }
        static snapshot() { return bind((callback, ...args) => callback(...args)); }
        run(store, callback, ...args) {
            return runIn(derive(frame(), this, true, store), callback, undefined, args);
        }
        exit(callback, ...args) {
            return runIn(derive(frame(), this, false), callback, undefined, args);
        }
        enterWith(store) { setFrame(derive(frame(), this, true, store)); }
        disable() { setFrame(derive(frame(), this, false)); }
        getStore() {
            const now = frame();
            if (typeof now === 'object')
                for (let i = 1; i < now.length; i += 2)
                    if (now[i] === this)
                        return now[i + 1];
            return this.#initial;
        }
    }

    let ids = 1; // 1 is the top level, as in Node.js
    class AsyncResource {
        #frame = frame();
        #id = ++ids;
        constructor(type) {
            if (typeof type !== 'string')
                throw new TypeError('The type of an AsyncResource must be a string');
        }
        runInAsyncScope(callback, self, ...args) { return runIn(revive(this.#frame), callback, self, args); }
        bind(callback, self) {
            if (typeof callback !== 'function')
                throw new TypeError('What is bound must be a function');
            const resource = this;
            return function (...args) {
                return resource.runInAsyncScope(callback, self === undefined ? this : self, ...args);
            };
        }
        static bind(callback, type, self) { return new AsyncResource(type ?? 'bound-anonymous-fn').bind(callback, self); }
        emitDestroy() { return this; }
        asyncId() { return this.#id; }
        triggerAsyncId() { return 1; }
    }

    native.define('AsyncLocalStorage', AsyncLocalStorage);
    // Of the hooks themselves there are stubs: they are never called.
    native.provide('node:async_hooks', () => ({
        AsyncLocalStorage, AsyncResource,
        createHook: () => {
            const hook = { enable: () => hook, disable: () => hook };
            return hook;
        },
        executionAsyncId: () => 1,
        triggerAsyncId: () => 0,
        executionAsyncResource: () => ({}),
    }));
}
