// SPDX-License-Identifier: MIT
// node:events: npm's events, with what Node.js has gained since.
'use strict';
const { events: EventEmitter } = native.load('npm_node.js');

// on(emitter, name): an async iterator over what is emitted
function on(emitter, name, options = undefined) {
    const waiting = [];
    const ready = [];
    let ended = false;
    let failure;
    const settle = (result) => {
        if (waiting.length !== 0)
            waiting.shift().resolve(result);
        else
            ready.push(result);
    };
    const onEvent = (...values) => settle({ value: values, done: false });
    const onError = (error) => {
        failure = { error };
        stop();
    };
    const stop = () => {
        ended = true;
        emitter.removeListener(name, onEvent);
        emitter.removeListener('error', onError);
        for (const { resolve, reject } of waiting.splice(0))
            failure === undefined ? resolve({ value: undefined, done: true }) : reject(failure.error);
    };
    emitter.on(name, onEvent);
    if (name !== 'error')
        emitter.on('error', onError);
    options?.signal?.addEventListener('abort', () => onError(options.signal.reason), { once: true });
    return {
        next() {
            if (ready.length !== 0)
                return Promise.resolve(ready.shift());
            if (failure !== undefined)
                return Promise.reject(failure.error);
            return ended ? Promise.resolve({ value: undefined, done: true })
                : new Promise((resolve, reject) => waiting.push({ resolve, reject }));
        },
        return() {
            stop();
            return Promise.resolve({ value: undefined, done: true });
        },
        throw(error) {
            onError(error);
            return Promise.resolve({ value: undefined, done: true });
        },
        [Symbol.asyncIterator]() { return this; },
    };
}
EventEmitter.on ??= on;
EventEmitter.EventEmitter = EventEmitter;
EventEmitter.errorMonitor ??= Symbol('events.errorMonitor');
EventEmitter.captureRejectionSymbol ??= Symbol.for('nodejs.rejection');
EventEmitter.getEventListeners ??= (emitter, name) => emitter.listeners(name);
EventEmitter.setMaxListeners ??= (count, ...emitters) => emitters.forEach((emitter) => emitter.setMaxListeners?.(count));
EventEmitter.getMaxListeners ??= (emitter) => emitter.getMaxListeners?.() ?? EventEmitter.defaultMaxListeners;
EventEmitter.addAbortListener ??= (signal, listener) => {
    if (signal.aborted)
        native.own.queueMicrotask(() => listener());
    else
        signal.addEventListener('abort', listener, { once: true });
    return { [Symbol.dispose]: () => signal.removeEventListener('abort', listener) };
};
EventEmitter.captureRejections ??= false;
EventEmitter.usingDomains ??= false;
EventEmitter.default = EventEmitter;
return EventEmitter;
