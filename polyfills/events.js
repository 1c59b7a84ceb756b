// SPDX-License-Identifier: MIT
// DOM Standard, section 2, Events, without a tree: there are no parents, so capture and bubbling make
// no difference.
'use strict';
{
    const { DOMException } = native.own;
    let trusted = false;

    class Event {
        #type;
        #bubbles;
        #cancelable;
        #composed;
        #prevented = false;
        #stopped = false;
        #halted = false;
        #passive = false;
        #target = null;
        #current = null;
        #isTrusted = trusted;
        #timeStamp = native.clockNow();
        constructor(type, init = {}) {
            if (arguments.length === 0)
                throw new TypeError('Event needs a type');
            if (init !== undefined && init !== null && typeof init !== 'object' && typeof init !== 'function')
                throw new TypeError('The second argument of Event must be an object');
            this.#type = `${type}`;
            this.#bubbles = Boolean(init?.bubbles);
            this.#cancelable = Boolean(init?.cancelable);
            this.#composed = Boolean(init?.composed);
        }
        get type() { return this.#type; }
        get bubbles() { return this.#bubbles; }
        get cancelable() { return this.#cancelable; }
        get composed() { return this.#composed; }
        get target() { return this.#target; }
        get srcElement() { return this.#target; }
        get currentTarget() { return this.#current; }
        get eventPhase() { return this.#current === null ? 0 : 2; }
        get defaultPrevented() { return this.#prevented; }
        get returnValue() { return !this.#prevented; }
        set returnValue(value) {
            if (!value)
                this.preventDefault();
        }
        get isTrusted() { return this.#isTrusted; }
        get timeStamp() { return this.#timeStamp; }
        get cancelBubble() { return this.#halted; }
        set cancelBubble(value) { this.#halted ||= Boolean(value); }
        preventDefault() {
            if (this.#cancelable && !this.#passive)
                this.#prevented = true;
        }
        stopPropagation() { this.#halted = true; }
        stopImmediatePropagation() { this.#stopped = this.#halted = true; }
        initEvent(type, bubbles = false, cancelable = false) {
            if (this.#current !== null)
                return;
            this.#type = `${type}`;
            this.#bubbles = Boolean(bubbles);
            this.#cancelable = Boolean(cancelable);
            this.#stopped = this.#halted = this.#prevented = false;
            this.#target = null;
        }
        composedPath() { return this.#current === null ? [] : [this.#current]; }

        static dispatch(event, target, listeners) {
            event.#target = event.#current = target;
            for (const listener of listeners) {
                if (event.#stopped)
                    break;
                if (listener.removed)
                    continue;
                if (listener.once)
                    listener.remove();
                event.#passive = listener.passive;
                try {
                    if (typeof listener.callback === 'function')
                        Reflect.apply(listener.callback, target, [event]);
                    else
                        listener.callback.handleEvent(event);
                } catch (error) {
                    native.report(error); // DOM, "inner invoke": reported, not thrown
                }
                event.#passive = false;
            }
            event.#current = null;
            event.#stopped = event.#halted = false;
            return !event.#prevented;
        }
        static isBusy(event) { return event.#current !== null; }
    }
    const { dispatch, isBusy } = Event;
    delete Event.dispatch;
    delete Event.isBusy;
    for (const [phase, name] of ['NONE', 'CAPTURING_PHASE', 'AT_TARGET', 'BUBBLING_PHASE'].entries())
        for (const target of [Event, Event.prototype])
            Object.defineProperty(target, name, { value: phase, enumerable: true });
    native.tag(Event, 'Event');

    class CustomEvent extends Event {
        #detail;
        constructor(type, init = {}) {
            super(type, init);
            this.#detail = init?.detail ?? null;
        }
        get detail() { return this.#detail; }
    }
    native.tag(CustomEvent, 'CustomEvent');

    class EventTarget {
        #listeners = new Map();

        addEventListener(type, callback, options = undefined) {
            if (arguments.length < 2)
                throw new TypeError('addEventListener needs a type and a listener');
            if (callback === null || callback === undefined)
                return;
            if (typeof callback !== 'function' && typeof callback !== 'object')
                throw new TypeError('A listener must be a function or an object');
            const capture = typeof options === 'boolean' ? options : Boolean(options?.capture);
            const signal = options?.signal;
            if (signal?.aborted)
                return;
            const list = this.#listeners.get(String(type)) ?? [];
            if (list.some((other) => other.callback === callback && other.capture === capture))
                return;
            const listener = {
                callback, capture, removed: false, signal,
                once: Boolean(options?.once),
                passive: Boolean(options?.passive),
                remove: () => this.removeEventListener(type, callback, capture),
            };
            // A new list, so that a dispatch under way walks the one it began with.
            this.#listeners.set(String(type), [...list, listener]);
            native.heard?.(this, type, list.length + 1);
            signal?.addEventListener('abort', listener.remove, { once: true });
        }
        removeEventListener(type, callback, options = undefined) {
            if (arguments.length < 2)
                throw new TypeError('removeEventListener needs a type and a listener');
            const capture = typeof options === 'boolean' ? options : Boolean(options?.capture);
            const list = this.#listeners.get(String(type)) ?? [];
            const listener = list.find((other) => other.callback === callback && other.capture === capture);
            if (listener === undefined)
                return;
            listener.removed = true;
            this.#listeners.set(String(type), list.filter((other) => other !== listener));
            native.heard?.(this, type, list.length - 1);
            listener.signal?.removeEventListener('abort', listener.remove); // one that lives longer must not gather them
        }
        dispatchEvent(event) {
            if (!(event instanceof Event))
                throw new TypeError('dispatchEvent needs an Event');
            if (isBusy(event))
                throw new DOMException('The event is being dispatched', 'InvalidStateError');
            return dispatch(event, this, this.#listeners.get(event.type) ?? []);
        }
    }
    native.tag(EventTarget, 'EventTarget');

    // HTML, section 8.1.8.1, event handler attributes: on<type> is one listener, replaced by assignment.
    native.handler = (constructor, type) => {
        const handlers = new WeakMap();
        Object.defineProperty(constructor.prototype, 'on' + type, {
            configurable: true, enumerable: true,
            get() { return handlers.get(this)?.handler ?? null; },
            set(handler) {
                const usable = typeof handler === 'function' ? handler : null;
                const known = handlers.get(this);
                if (known !== undefined) {
                    known.handler = usable;
                    return;
                }
                const entry = { handler: usable };
                handlers.set(this, entry);
                this.addEventListener(type, (event) => entry.handler?.call(this, event));
            },
        });
    };
    // Events of ours: isTrusted is true.
    native.fire = (target, make) => {
        trusted = true;
        let event;
        try {
            event = make();
        } finally {
            trusted = false;
        }
        return target.dispatchEvent(event);
    };

    native.define('Event', Event);
    native.define('CustomEvent', CustomEvent);
    native.define('EventTarget', EventTarget);
}
