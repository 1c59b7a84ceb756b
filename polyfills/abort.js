// SPDX-License-Identifier: MIT
// DOM Standard, section 3, aborting.
'use strict';
{
    const MAKE = Symbol('make');
    const setTimer = native.setTimeout;
    const { DOMException, Event } = native.own;
    const SWEPT_AT_LEAST = 32;
    let abort;

    // Section 3.2, "dependent signals". A signal may live as long as the program and be given to any() by each render: it holds
    // the signals that depend on it weakly, but for those that somebody listens to.
    class AbortSignal extends EventTarget {
        #aborted = false;
        #reason = undefined;
        #sources = null; // on which this one depends, none of them dependent itself
        #dependents = []; // weak references
        #sweepAt = SWEPT_AT_LEAST; // so many of them: look which are gone
        #heard = new Set(); // of the dependents those with listeners
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
                const all = [signal, ...signal.#living().filter((dependent) => !dependent.#aborted)];
                for (const one of all)
                    one.#end(reason);
                for (const one of all)
                    native.fire(one, () => new Event('abort'));
            };
            native.heard = (target, type, count) => {
                if (!(#sources in target) || target.#sources === null || `${type}` !== 'abort')
                    return;
                for (const source of target.#sources)
                    count === 0 ? source.#heard.delete(target) : source.#heard.add(target);
            };
        }
        #living() {
            return this.#dependents.map((dependent) => dependent.deref()).filter((dependent) => dependent !== undefined);
        }
        #end(reason) {
            this.#aborted = true;
            this.#reason = reason;
            for (const source of this.#sources ?? [])
                source.#heard.delete(this);
            this.#sources = null;
            this.#dependents = [];
        }
        #dependOn(source) {
            this.#sources.add(source);
            if (source.#dependents.length >= source.#sweepAt) {
                source.#dependents = source.#dependents.filter((dependent) => dependent.deref() !== undefined);
                source.#sweepAt = Math.max(SWEPT_AT_LEAST, 2 * source.#dependents.length);
            }
            source.#dependents.push(new WeakRef(this));
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
            const aborted = sources.find((source) => source.#aborted);
            if (aborted !== undefined) {
                abort(signal, aborted.#reason);
                return signal;
            }
            signal.#sources = new Set();
            for (const source of sources)
                for (const one of source.#sources ?? [source])
                    if (!signal.#sources.has(one))
                        signal.#dependOn(one);
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
