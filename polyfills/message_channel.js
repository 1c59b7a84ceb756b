// SPDX-License-Identifier: MIT
// HTML, section 9.4, MessageChannel, within one realm. A message is delivered as a task: through the queue
// of timers, so it belongs to the render that posted it. A port that is transferred stays itself, and is
// found in event.ports alone.
//
// A channel may serve many renders: React's build for browsers has one for its scheduler, with a list of callbacks
// beside it from which each message takes the first. A task ends with its render, the message may not, or that list would
// grow by a request each page and give one render's callbacks to another's messages. So messages wait at their port, in
// order, each with the frame (worker/js_frame.cc) of who posted it, and those that their render has left behind go out with the next post.
'use strict';
{
    const MAKE = Symbol('make');
    const { setImmediate: task, queueMicrotask: queue, clone, frame, setFrame, isOpen } = native;
    let entangle;

    class MessageEvent extends Event {
        #data;
        #ports;
        constructor(type, init = {}) {
            super(type, init);
            this.#data = init?.data ?? null;
            this.#ports = Object.freeze([...init?.ports ?? []]);
        }
        get data() { return this.#data; }
        get origin() { return ''; }
        get lastEventId() { return ''; }
        get source() { return null; }
        get ports() { return this.#ports; }
    }
    native.tag(MessageEvent, 'MessageEvent');

    class MessagePort extends EventTarget {
        #other = null;
        #waiting = []; // until start()
        #due = []; // after it, until their task
        #started = false;
        constructor(key = undefined) {
            if (key !== MAKE)
                throw new TypeError('Illegal constructor');
            super();
        }
        static {
            entangle = (a, b) => {
                a.#other = b;
                b.#other = a;
            };
        }
        // The first message, as its sender: what it sets belongs to a render that may have ended.
        #deliver() {
            const first = this.#due.shift();
            if (first === undefined || this.#other === null)
                return;
            const before = frame();
            setFrame(first.frame);
            try {
                native.fire(this, () => new MessageEvent('message', first));
            } finally {
                setFrame(before);
            }
        }
        #add(message) {
            let left = 0;
            for (const { frame: sender } of this.#due) {
                const serial = typeof sender === 'object' ? sender[0] : sender;
                if (serial !== undefined && !isOpen(serial))
                    left++;
            }
            this.#due.push(message);
            task(() => this.#deliver());
            for (; left > 0; left--)
                queue(() => this.#deliver());
        }
        postMessage(message, options = undefined) {
            native.idl.need(1, arguments.length, 'postMessage');
            let ports = [], data = message;
            if (options !== undefined || typeof message === 'object' && message !== null || typeof message === 'symbol' || typeof message === 'function') {
                const list = Array.isArray(options) ? options : [...options?.transfer ?? []];
                ports = list.filter((item) => item instanceof MessagePort);
                data = clone(message, native.transferList({ transfer: list.filter((item) => !ports.includes(item)) }));
            }
            const other = this.#other;
            if (other === null)
                return;
            if (other.#started)
                other.#add({ data, ports, frame: frame() });
            else
                other.#waiting.push({ data, ports, frame: frame() });
        }
        start() {
            if (this.#started)
                return;
            this.#started = true;
            for (const message of this.#waiting.splice(0))
                this.#add(message);
        }
        close() {
            if (this.#other === null)
                return;
            this.#other.#other = null;
            this.#other = null;
        }
    }
    native.tag(MessagePort, 'MessagePort');
    native.handler(MessagePort, 'message');
    native.handler(MessagePort, 'messageerror');
    // Assigning onmessage starts the port.
    const own = Object.getOwnPropertyDescriptor(MessagePort.prototype, 'onmessage');
    Object.defineProperty(MessagePort.prototype, 'onmessage', {
        ...own,
        set(handler) {
            Reflect.apply(own.set, this, [handler]);
            this.start();
        },
    });

    class MessageChannel {
        #port1 = new MessagePort(MAKE);
        #port2 = new MessagePort(MAKE);
        constructor() { entangle(this.#port1, this.#port2); }
        get port1() { return this.#port1; }
        get port2() { return this.#port2; }
    }
    native.tag(MessageChannel, 'MessageChannel');
    native.define('MessageEvent', MessageEvent);
    native.define('MessagePort', MessagePort);
    native.define('MessageChannel', MessageChannel);
}
