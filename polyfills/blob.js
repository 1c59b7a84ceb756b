// SPDX-License-Identifier: MIT
// File API, sections 3 and 4: Blob and File, in memory.
'use strict';
const { usv, need, dictionary, oneOf } = native.idl;
const { TextDecoder, TextEncoder } = native.own;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const STREAM_BYTES = 65536;
const outside = /[^\x20-\x7e]/;
const MAKE = Symbol('make');

// Section 3.2, "process blob parts"
function bytesOf(part, endings) {
    if (ArrayBuffer.isView(part))
        return new Uint8Array(part.buffer, part.byteOffset, part.byteLength).slice();
    if (native.isBuffer(part))
        return new Uint8Array(part).slice();
    if (native.isBlob(part))
        return native.blobBytes(part);
    const text = usv(part);
    return encoder.encode(endings === 'native' ? text.replace(/\r\n?/g, '\n') : text);
}
function join(chunks) {
    if (chunks.length === 1)
        return chunks[0];
    const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
    let at = 0;
    for (const chunk of chunks) {
        all.set(chunk, at);
        at += chunk.byteLength;
    }
    return all;
}
const cleanType = (type) => outside.test(type) ? '' : type.toLowerCase();
// Web IDL, [Clamp] long long
const clamp = (value) => {
    const number = Number(value);
    return Number.isNaN(number) ? 0 : Math.min(Math.max(Math.round(number), -Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
};

class Blob {
    #bytes;
    #type;
    constructor(parts = undefined, options = undefined) {
        if (parts === MAKE) {
            [this.#bytes, this.#type] = options;
            return;
        }
        if (parts !== undefined && (parts === null || typeof parts !== 'object' && typeof parts !== 'function' ||
            typeof parts[Symbol.iterator] !== 'function'))
            throw new TypeError('The parts of a Blob must be iterable');
        const list = parts === undefined ? [] : [...parts];
        const given = dictionary(options, 'The options of a Blob');
        const endings = given.endings === undefined ? 'transparent'
            : oneOf(given.endings, ['transparent', 'native'], 'endings');
        const type = given.type === undefined ? '' : `${given.type}`;
        this.#bytes = join(list.map((part) => bytesOf(part, endings)));
        this.#type = cleanType(type);
    }
    static {
        native.isBlob = (value) => typeof value === 'object' && value !== null && #bytes in value;
        native.blobBytes = (blob) => blob.#bytes;
    }
    get size() { return this.#bytes.byteLength; }
    get type() { return this.#type; }
    slice(start = 0, end = undefined, type = '') {
        const size = this.#bytes.byteLength;
        const at = (value) => value < 0 ? Math.max(size + value, 0) : Math.min(value, size);
        const from = at(clamp(start));
        const to = end === undefined ? size : at(clamp(end));
        return new Blob(MAKE, [this.#bytes.subarray(from, Math.max(from, to)), cleanType(`${type}`)]);
    }
    stream() {
        const bytes = this.#bytes;
        let at = 0;
        native.load('streams.js');
        return native.streams.pulling(() => at === bytes.byteLength ? undefined
            : bytes.slice(at, at = Math.min(at + STREAM_BYTES, bytes.byteLength)));
    }
    async text() { return decoder.decode(this.#bytes); }
    async arrayBuffer() { return this.#bytes.slice().buffer; }
    async bytes() { return this.#bytes.slice(); }
}
native.tag(Blob, 'Blob');

class File extends Blob {
    #name;
    #lastModified;
    constructor(parts, name, options = undefined) {
        need(2, arguments.length, 'File');
        super(parts === undefined ? null : parts, options);
        this.#name = usv(name);
        const modified = options?.lastModified;
        this.#lastModified = modified === undefined ? Date.now() : Math.trunc(Number(modified)) || 0;
    }
    get name() { return this.#name; }
    get lastModified() { return this.#lastModified; }
    get webkitRelativePath() { return this.#name && ''; }
    static {
        native.isFile = (value) => typeof value === 'object' && value !== null && #name in value;
    }
}
native.tag(File, 'File');
return { Blob, File };
