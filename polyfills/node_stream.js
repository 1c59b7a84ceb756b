// SPDX-License-Identifier: MIT
// node:stream: readable-stream, which is Node.js' own, with what it leaves out: the ways to web streams and back
// (Node.js, "Web Streams API"), and node:stream/consumers. Bundles for the edge import it, seldom to use it.
'use strict';
const { stream: Stream } = native.load('npm_stream.js');
const { Buffer } = native.load('buffer.js');
const { Readable, Writable, Duplex, finished } = Stream;
const { ReadableStream, WritableStream } = native.load('streams.js');

const define = (target, methods) => {
    for (const [name, value] of Object.entries(methods))
        Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: true });
};
const plain = (chunk) => (ArrayBuffer.isView(chunk) && chunk.constructor !== Uint8Array
    ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength) : chunk);
// Bytes where there are any; of text, which may come as well, its length
const strategyOf = (objects, highWaterMark) => ({ highWaterMark, size: (chunk) => (objects ? 1 : chunk.byteLength ?? chunk.length) });

function readableToWeb(readable, options = undefined) {
    const objects = readable.readableObjectMode;
    let over = false;
    readable.pause();
    return new ReadableStream({
        start(controller) {
            readable.on('data', (chunk) => {
                if (over)
                    return;
                controller.enqueue(objects || typeof chunk === 'string' ? chunk : plain(chunk));
                if (controller.desiredSize <= 0)
                    readable.pause();
            });
            finished(readable, { writable: false }, (error) => {
                if (over)
                    return;
                over = true;
                if (error)
                    controller.error(error);
                else
                    controller.close();
            });
        },
        pull() { readable.resume(); },
        cancel(reason) {
            over = true;
            readable.on('error', () => {}); // of the reason: who cancels knows it
            readable.destroy(reason);
        },
    }, options?.strategy ?? strategyOf(objects, readable.readableHighWaterMark));
}

function readableFromWeb(stream, options = {}) {
    const reader = stream.getReader();
    let over = false;
    const done = () => { over = true; };
    reader.closed.then(done, done);
    return new Readable({
        ...options,
        read() {
            reader.read().then(({ done: last, value }) => this.push(last ? null : value), (error) => this.destroy(error));
        },
        destroy(error, callback) {
            if (over)
                callback(error);
            else
                reader.cancel(error).then(() => callback(error), () => callback(error));
        },
    });
}

function writableToWeb(writable) {
    let ended = false;
    let failure;
    const wake = [];
    const settle = () => wake.splice(0).forEach((go) => go());
    const next = () => new Promise((resolve) => wake.push(resolve));
    writable.on('drain', settle);
    finished(writable, { readable: false }, (error) => {
        ended = true;
        failure = error;
        settle();
    });
    const check = () => {
        if (failure)
            throw failure;
    };
    return new WritableStream({
        async write(chunk) {
            check();
            if (!writable.write(chunk)) {
                await next();
                check();
            }
        },
        async close() {
            writable.end();
            if (!ended)
                await next();
            check();
        },
        abort(reason) {
            writable.on('error', () => {});
            writable.destroy(reason);
        },
    }, strategyOf(writable.writableObjectMode, writable.writableHighWaterMark));
}

function writableFromWeb(stream, options = {}) {
    const writer = stream.getWriter();
    let over = false;
    const done = () => { over = true; };
    writer.closed.then(done, done);
    const settled = (promise, callback) => promise.then(() => callback(), callback);
    return new Writable({
        decodeStrings: false,
        ...options,
        write(chunk, _encoding, callback) { settled(writer.ready.then(() => writer.write(chunk)), callback); },
        final(callback) { settled(writer.close(), callback); },
        destroy(error, callback) {
            if (over)
                callback(error);
            else
                writer.abort(error).then(() => callback(error), () => callback(error));
        },
    });
}

define(Readable, { toWeb: readableToWeb, fromWeb: readableFromWeb });
define(Writable, { toWeb: writableToWeb, fromWeb: writableFromWeb });
define(Duplex, {
    toWeb: (duplex) => ({ readable: readableToWeb(duplex), writable: writableToWeb(duplex) }),
    fromWeb: ({ readable, writable }, options = {}) =>
        Duplex.from({ readable: readableFromWeb(readable, options), writable: writableFromWeb(writable, options) }),
});

// node:stream/consumers, of both kinds of streams and of what else can be iterated over
async function bytes(stream) {
    const chunks = [];
    for await (const chunk of stream)
        chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
    return Buffer.concat(chunks);
}
const text = async (stream) => new native.own.TextDecoder().decode(await bytes(stream));
Stream.consumers = {
    buffer: bytes,
    bytes: async (stream) => plain(await bytes(stream)),
    text,
    json: async (stream) => JSON.parse(await text(stream)),
    async arrayBuffer(stream) {
        const all = await bytes(stream);
        return all.buffer.slice(all.byteOffset, all.byteOffset + all.byteLength);
    },
    blob: async (stream) => new (native.load('blob.js').Blob)([await bytes(stream)]),
};
Stream.default = Stream;
return Stream;
