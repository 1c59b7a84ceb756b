// SPDX-License-Identifier: MIT
// DOM Standard, section 3, aborting.
'use strict';
{
    const MAKE = Symbol('make');
    const setTimer = native.setTimeout;
    const { DOMException, Event } = native.own;
    let abort;

    class AbortSignal extends EventTarget {
        #aborted = false;
        #reason = undefined;
        constructor(key = undefined) {
            if (key !== MAKE)
                throw new TypeError('Illegal constructor');
            super();
        }
        get aborted() { return this.#aborted; }
        get reason() { return this.#reason; }
        throwIfAborted() {
            if (this.#aborted)
                throw this.#reason;
        }
        static {
            abort = (signal, reason = new DOMException('This operation was aborted', 'AbortError')) => {
                if (signal.#aborted)
                    return;
                signal.#aborted = true;
                signal.#reason = reason;
                native.fire(signal, () => new Event('abort'));
            };
        }
        static abort(reason = undefined) {
            const signal = new AbortSignal(MAKE);
            abort(signal, reason);
            return signal;
        }
        static timeout(milliseconds) {
            const ms = Math.trunc(milliseconds); // Web IDL, [EnforceRange] unsigned long long
            if (!(ms >= 0 && ms <= Number.MAX_SAFE_INTEGER))
                throw new TypeError('AbortSignal.timeout needs a number of milliseconds, not ' + String(milliseconds));
            const signal = new AbortSignal(MAKE);
            setTimer(() => abort(signal, new DOMException('The operation was aborted due to timeout', 'TimeoutError')), ms);
            return signal;
        }
        static any(signals) {
            const signal = new AbortSignal(MAKE);
            const sources = [...signals];
            if (!sources.every((source) => source instanceof AbortSignal))
                throw new TypeError('AbortSignal.any takes AbortSignals');
            for (const source of sources) {
                if (source.aborted) {
                    abort(signal, source.reason);
                    break;
                }
                source.addEventListener('abort', () => abort(signal, source.reason), { once: true });
            }
            return signal;
        }
    }
    native.tag(AbortSignal, 'AbortSignal');
    native.handler(AbortSignal, 'abort');

    class AbortController {
        #signal = new AbortSignal(MAKE);
        get signal() { return this.#signal; }
        abort(reason = undefined) { abort(this.#signal, reason); }
    }
    native.tag(AbortController, 'AbortController');
    native.newSignal = () => new AbortSignal(MAKE);
    // C's: request.signal and the reader of a body, when the client has gone or the deadline has come.
    native.abort = (signal, gone, reader) => {
        const reason = gone ? new DOMException('The client has gone', 'AbortError')
            : new DOMException('The time for this render is over', 'TimeoutError');
        reader?.cancel(reason).catch(() => { }); // of a stream that has failed: it has no use for it
        if (signal !== undefined)
            abort(signal, reason);
    };
    native.define('AbortSignal', AbortSignal);
    native.define('AbortController', AbortController);
}
