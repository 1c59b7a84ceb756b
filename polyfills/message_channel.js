// SPDX-License-Identifier: MIT
// HTML, section 9.4, MessageChannel, within one realm. A message is delivered as a task: through the queue
// of timers, so it belongs to the render that posted it. A port that is transferred stays itself, and is
// found in event.ports alone.
'use strict';
{
    const MAKE = Symbol('make');
    const { setImmediate: task, clone } = native;
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
        static #deliver(port, data, ports) {
            task(() => {
                if (port.#other !== null)
                    native.fire(port, () => new MessageEvent('message', { data, ports }));
            });
        }
        postMessage(message, options = undefined) {
            native.idl.need(1, arguments.length, 'postMessage');
            const list = Array.isArray(options) ? options : [...options?.transfer ?? []];
            const ports = list.filter((item) => item instanceof MessagePort);
            const data = clone(message, native.transferList({ transfer: list.filter((item) => !ports.includes(item)) }));
            const other = this.#other;
            if (other === null)
                return;
            if (other.#started)
                MessagePort.#deliver(other, data, ports);
            else
                other.#waiting.push([data, ports]);
        }
        start() {
            if (this.#started)
                return;
            this.#started = true;
            for (const [data, ports] of this.#waiting.splice(0))
                MessagePort.#deliver(this, data, ports);
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
