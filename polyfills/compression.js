// SPDX-License-Identifier: MIT
// Compression Standard: CompressionStream and DecompressionStream, by zlib.
'use strict';
const { zlibOpen, zlibRun } = native;
const { need, oneOf } = native.idl;
const { TransformStream } = native.load('streams.js');
const BITS = { gzip: 31, deflate: 15, 'deflate-raw': -15 };

const isShared = (chunk) => Object.prototype.toString.call(chunk.buffer ?? chunk) === '[object SharedArrayBuffer]';

function transform(deflates, format) {
    const stream = zlibOpen(deflates, BITS[oneOf(format, Object.keys(BITS), 'The format')]);
    const run = (bytes, last, controller) => {
        const out = stream === undefined ? undefined : zlibRun(stream, bytes, last);
        if (out === undefined)
            throw new TypeError('The data is not of the format, is cut off or has something behind its end');
        if (out.length !== 0)
            controller.enqueue(out);
    };
    return new TransformStream({
        transform(chunk, controller) {
            if (!ArrayBuffer.isView(chunk) && !native.isBuffer(chunk) || isShared(chunk))
                throw new TypeError('A chunk must be a buffer or a view of one, not shared');
            run(chunk, false, controller);
        },
        flush(controller) { run(new Uint8Array(0), true, controller); },
    });
}

class CompressionStream {
    #transform;
    constructor(format) {
        need(1, arguments.length, 'CompressionStream');
        this.#transform = transform(true, format);
    }
    get readable() { return this.#transform.readable; }
    get writable() { return this.#transform.writable; }
}
native.tag(CompressionStream, 'CompressionStream');

class DecompressionStream {
    #transform;
    constructor(format) {
        need(1, arguments.length, 'DecompressionStream');
        this.#transform = transform(false, format);
    }
    get readable() { return this.#transform.readable; }
    get writable() { return this.#transform.writable; }
}
native.tag(DecompressionStream, 'DecompressionStream');
return { CompressionStream, DecompressionStream };
