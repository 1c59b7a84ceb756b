// SPDX-License-Identifier: MIT
// Encoding Standard, sections 7.5 and 7.6: TextDecoderStream and TextEncoderStream.
'use strict';
const { TextDecoder, TextEncoder } = native.own;
const { TransformStream } = native.load('streams.js');
const high = /[\ud800-\udbff]$/;

class TextDecoderStream {
    #decoder;
    #transform;
    constructor(label = 'utf-8', options = undefined) {
        const decoder = this.#decoder = new TextDecoder(label, options);
        this.#transform = new TransformStream({
            transform(chunk, controller) {
                if (!ArrayBuffer.isView(chunk) && !native.isBuffer(chunk))
                    throw new TypeError('A chunk must be a buffer or a view of one');
                const text = decoder.decode(chunk, { stream: true });
                if (text !== '')
                    controller.enqueue(text);
            },
            flush(controller) {
                const text = decoder.decode();
                if (text !== '')
                    controller.enqueue(text);
            },
        });
    }
    get encoding() { return this.#decoder.encoding; }
    get fatal() { return this.#decoder.fatal; }
    get ignoreBOM() { return this.#decoder.ignoreBOM; }
    get readable() { return this.#transform.readable; }
    get writable() { return this.#transform.writable; }
}
native.tag(TextDecoderStream, 'TextDecoderStream');

class TextEncoderStream {
    #encoder = new TextEncoder();
    #transform;
    constructor() {
        const encoder = this.#encoder;
        let held = ''; // a high surrogate whose other half is in the next chunk
        this.#transform = new TransformStream({
            transform(chunk, controller) {
                let text = held + `${chunk}`;
                held = high.test(text) ? text.slice(-1) : '';
                text = held === '' ? text : text.slice(0, -1);
                if (text !== '')
                    controller.enqueue(encoder.encode(text));
            },
            flush(controller) {
                if (held !== '')
                    controller.enqueue(encoder.encode(held));
            },
        });
    }
    get encoding() { return this.#encoder.encoding; }
    get readable() { return this.#transform.readable; }
    get writable() { return this.#transform.writable; }
}
native.tag(TextEncoderStream, 'TextEncoderStream');
return { TextDecoderStream, TextEncoderStream };
