// SPDX-License-Identifier: MIT
// Streams Standard, by web-streams-polyfill; and what our own bodies need of it: a stream of known bytes, all bytes of a
// stream. _disturbed and _reader are fields of that package's (its version is locked, and a test looks at them).
'use strict';
const exports = native.load('npm_streams.js');
const { ReadableStream } = exports;

// The package's async iterators inherit nothing; Web IDL, section 3.7.10.2, has them inherit what all such have.
{
    const own = Object.getPrototypeOf(new ReadableStream().values());
    Object.setPrototypeOf(own, Object.getPrototypeOf(Object.getPrototypeOf(async function* () { }).prototype));
    delete own[Symbol.asyncIterator];
}

native.streams = {
    isStream: (value) => value instanceof ReadableStream,
    isDisturbed: (stream) => stream._disturbed === true,
    // Fetch, section 2.2.4, "body": made when somebody asks for it
    ofBytes: (bytes) => new ReadableStream({
        type: 'bytes',
        start(controller) {
            if (bytes.byteLength !== 0)
                controller.enqueue(bytes);
            controller.close();
        },
    }, { highWaterMark: 0 }),
    // From chunks that are made one after the other: next() -> Uint8Array or undefined
    pulling: (next) => new ReadableStream({
        type: 'bytes',
        pull(controller) {
            const bytes = next();
            if (bytes !== undefined) {
                controller.enqueue(bytes);
                return;
            }
            controller.close();
            controller.byobRequest?.respond(0);
        },
    }, { highWaterMark: 0 }),
};
return exports;
