// SPDX-License-Identifier: MIT
// Fetch Standard, section 5.2 and 5.3: what a body is made from, and the Body mixin. A body stays the string or the bytes
// that it was made from, and becomes a stream when somebody asks for one: state = {source, type, stream,
// used, network}, with source a string, a Uint8Array, a Blob or null; network what an answer of fetch() comes by:
// {all() -> promise of a Uint8Array, stream()}.
'use strict';
{
    const { usv } = native.idl;
    const encoder = new TextEncoder();
    const decoder = new TextDecoder('utf-8');
    const hasOwn = (object, name) => Object.prototype.hasOwnProperty.call(object, name); // Object.hasOwn is not in a snapshot
    const NativePromise = Promise;
    const streams = () => native.streams ?? (native.load('streams.js'), native.streams);
    const empty = () => ({ source: null, type: null, stream: null, used: false, network: null });
    const ofNetwork = (network) => ({ source: null, type: null, stream: null, used: false, network });

    // Section 5.2, "safely extract a body": source, and the type that it implies.
    function extract(value) {
        const body = empty();
        if (value === null || value === undefined)
            return body;
        if (typeof value === 'string') {
            body.source = usv(value);
            body.type = 'text/plain;charset=UTF-8';
        } else if (ArrayBuffer.isView(value)) {
            body.source = new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
        } else if (native.isBuffer(value)) {
            body.source = new Uint8Array(value).slice();
        } else if (native.isBlob?.(value)) {
            body.source = value;
            body.type = value.type === '' ? null : value.type;
        } else if (native.isFormData?.(value)) {
            [body.source, body.type] = native.encodeFormData(value);
        } else if (native.isSearchParams?.(value)) {
            body.source = `${value}`;
            body.type = 'application/x-www-form-urlencoded;charset=UTF-8';
        } else if (typeof value === 'object' && typeof value.getReader === 'function') {
            if (value.locked || streams().isDisturbed(value))
                throw new TypeError('The stream has been read or is locked');
            body.stream = value;
        } else {
            body.source = usv(value);
            body.type = 'text/plain;charset=UTF-8';
        }
        return body;
    }

    const isNull = (body) => body.source === null && body.stream === null && body.network === null;
    const isUsed = (body) => body.used || body.stream !== null && streams().isDisturbed(body.stream);
    const isUnusable = (body) => isUsed(body) || body.stream !== null && Boolean(body.stream.locked);
    const bytesOf = (source) => typeof source === 'string' ? encoder.encode(source)
        : source instanceof Uint8Array ? source : source === null ? new Uint8Array(0) : native.blobBytes(source);
    const textOf = (source) => typeof source === 'string' ? source.charCodeAt(0) === 0xfeff ? source.slice(1) : source
        : decoder.decode(bytesOf(source));

    // Streams, "read all bytes"
    async function readAll(stream) {
        const reader = stream.getReader();
        const chunks = [];
        let count = 0;
        for (;;) {
            const { done, value } = await reader.read();
            if (done)
                break;
            if (!(value instanceof Uint8Array)) {
                const error = new TypeError('A chunk of a body must be a Uint8Array');
                reader.cancel(error).catch(() => { });
                throw error;
            }
            chunks.push(value);
            count += value.byteLength;
        }
        if (chunks.length === 1)
            return chunks[0];
        const all = new Uint8Array(count);
        let at = 0;
        for (const chunk of chunks) {
            all.set(chunk, at);
            at += chunk.byteLength;
        }
        return all;
    }

    // Takes the body: a string, a Uint8Array, a Blob, null, or a promise of a Uint8Array where it is a stream.
    function take(body) {
        if (isNull(body))
            return null;
        if (isUnusable(body))
            throw new TypeError('The body has been read already, or is locked');
        body.used = true;
        if (body.stream !== null)
            return readAll(body.stream);
        return body.network !== null ? body.network.all() : body.source;
    }
    // Moves the body into a new state, so that the old one counts as read.
    function move(body) {
        if (isNull(body))
            return empty();
        if (isUnusable(body))
            throw new TypeError('The body has been read already, or is locked');
        const moved = { source: body.source, type: body.type, stream: body.stream, used: false, network: null };
        if (body.network !== null && body.stream === null) {
            moved.network = body.network; // nobody has asked for the stream: it goes along as it is
        } else if (body.stream !== null) {
            const through = new (native.load('streams.js').TransformStream)();
            body.stream.pipeTo(through.writable).catch(() => { });
            moved.stream = through.readable;
        }
        body.used = true;
        return moved;
    }
    // Section 2.2.4, "clone a body"
    function copy(body) {
        if (isUnusable(body))
            throw new TypeError('The body has been read already, or is locked');
        const twin = { source: body.source, type: body.type, stream: null, used: false, network: null };
        if (body.network !== null)
            streamOf(body);
        if (body.stream !== null)
            [body.stream, twin.stream] = body.stream.tee();
        return twin;
    }
    function streamOf(body) {
        if (isNull(body))
            return null;
        if (body.stream === null) {
            const { source, network } = body;
            if (network !== null && body.used) { // taken whole: a stream that is closed, disturbed and locked
                body.stream = streams().ofBytes(new Uint8Array(0));
                body.stream.getReader().cancel();
                return body.stream;
            }
            body.stream = network !== null ? (streams(), network.stream()) : native.isBlob?.(source) ? source.stream() : streams().ofBytes(bytesOf(source).slice());
            if (body.used) { // read already: a stream that is closed, disturbed and locked
                body.stream.getReader().cancel();
            }
        }
        return body.stream;
    }

    // Section 5.3; body(object) and contentType(object) throw for other receivers.
    const mixin = (constructor, bodyOf, contentType) => {
        const all = (object) => take(bodyOf(object));
        const methods = {
            get body() { return streamOf(bodyOf(this)); },
            get bodyUsed() { return isUsed(bodyOf(this)); },
            async text() {
                const source = all(this);
                return textOf(source instanceof NativePromise ? await source : source);
            },
            async json() {
                const source = all(this);
                return JSON.parse(textOf(source instanceof NativePromise ? await source : source));
            },
            async bytes() {
                const source = all(this);
                return source instanceof NativePromise ? source : bytesOf(source).slice();
            },
            async arrayBuffer() {
                const source = all(this);
                const bytes = source instanceof NativePromise ? await source : bytesOf(source);
                return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
            },
            async blob() {
                const type = contentType(this);
                const source = all(this);
                const { Blob } = native.load('blob.js');
                const clean = type === null ? null : native.load('data_url.js').cleanType(type);
                return new Blob([bytesOf(source instanceof NativePromise ? await source : source)], { type: clean ?? '' });
            },
            async formData() {
                const type = contentType(this);
                const source = all(this);
                native.load('form_data.js');
                return native.decodeFormData(bytesOf(source instanceof NativePromise ? await source : source), type);
            },
        };
        for (const name of Object.keys(methods))
            if (!hasOwn(constructor.prototype, name))
                Object.defineProperty(constructor.prototype, name, Object.getOwnPropertyDescriptor(methods, name));
    };

    native.body = { empty, extract, isNull, isUsed, isUnusable, move, copy, mixin, bytesOf, take, streamOf, ofNetwork };
    // For C (page.js): takes the stream of a body that has one.
    native.takeStream = (state) => {
        const { body } = state;
        if (isUnusable(body))
            throw new TypeError('The body has been read already, or is locked');
        const stream = streamOf(body); // an answer of fetch() becomes one
        state.body = { ...empty(), source: '', type: body.type };
        return stream;
    };
    // For C (page.js): text or bytes, or a promise of bytes.
    native.consume = (state) => {
        const source = take(state.body);
        return source === null ? '' : native.isBlob?.(source) ? bytesOf(source) : source;
    };
}
