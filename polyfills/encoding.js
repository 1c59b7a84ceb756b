// SPDX-License-Identifier: MIT
// Encoding Standard, sections 7.2 to 7.4: TextEncoder and TextDecoder. UTF-8 is native (worker/js_utf8.h); other
// encodings load encodings.js when a label asks for one.
'use strict';
{
    const { utf8Encode, utf8EncodeInto, utf8Decode, utf8OpenTail } = native;
    const utf8 = new Set(['utf-8', 'utf8', 'unicode-1-1-utf-8', 'unicode11utf8', 'unicode20utf8', 'x-unicode20utf8']);
    const EMPTY = new Uint8Array(0);
    const UNITS = 4294967296;

    class TextEncoder {
        get encoding() { return 'utf-8'; }
        encode(input = '') {
            const bytes = utf8Encode(`${input}`);
            if (bytes === undefined)
                throw new RangeError('Array buffer allocation failed');
            return bytes;
        }
        encodeInto(source, destination) {
            if (!(destination instanceof Uint8Array))
                throw new TypeError('encodeInto needs a Uint8Array');
            const both = utf8EncodeInto(`${source}`, destination);
            return { read: Math.floor(both / UNITS), written: both % UNITS };
        }
    }
    native.tag(TextEncoder, 'TextEncoder');

    function view(input) {
        if (input === undefined)
            return EMPTY;
        if (input instanceof Uint8Array)
            return input;
        if (ArrayBuffer.isView(input)) // of a detached buffer: no bytes
            return input.buffer.byteLength === 0 ? EMPTY : new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
        if (native.isBuffer(input))
            return input.byteLength === 0 ? EMPTY : new Uint8Array(input);
        throw new TypeError('decode needs an ArrayBuffer or a view of one');
    }

    class TextDecoder {
        #encoding = 'utf-8';
        #other = null; // decodes another encoding: (bytes, more) => string or undefined
        #fatal;
        #ignoreBOM;
        #held = EMPTY; // bytes of a character that the last chunk cut off
        #begun = false; // a byte order mark counts at the start of the stream only
        constructor(label = 'utf-8', options = undefined) {
            if (options !== undefined && options !== null && typeof options !== 'object' && typeof options !== 'function')
                throw new TypeError('The options of a TextDecoder must be an object');
            this.#fatal = Boolean(options?.fatal);
            this.#ignoreBOM = Boolean(options?.ignoreBOM);
            const wanted = native.idl.strip(`${label}`, true).toLowerCase();
            if (!utf8.has(wanted))
                this.#open(wanted);
        }
        #open(label) {
            const encodings = native.load('encodings.js');
            const name = encodings.nameOf(label);
            const decode = name === undefined ? undefined : encodings.open(name, this.#fatal);
            if (decode === undefined)
                throw new RangeError(`The "${label}" encoding is not supported`);
            this.#encoding = name.toLowerCase();
            this.#other = decode;
        }
        get encoding() { return this.#encoding; }
        get fatal() { return this.#fatal; }
        get ignoreBOM() { return this.#ignoreBOM; }
        #decodeOther(bytes, stream) {
            let text = this.#other(bytes, stream);
            if (text === undefined) {
                this.#begun = false;
                throw new TypeError('The encoded data was not valid for encoding ' + this.#encoding);
            }
            if (!this.#begun && !this.#ignoreBOM && text.charCodeAt(0) === 0xfeff && this.#encoding.startsWith('utf-16'))
                text = text.slice(1), this.#begun = true;
            this.#begun = stream && (this.#begun || text !== '');
            return text;
        }
        decode(input = undefined, options = undefined) {
            let bytes = view(input);
            const stream = Boolean(options?.stream);
            if (this.#other !== null)
                return this.#decodeOther(bytes, stream);
            if (this.#held.length !== 0) {
                const joined = new Uint8Array(this.#held.length + bytes.length);
                joined.set(this.#held);
                joined.set(bytes, this.#held.length);
                bytes = joined;
                this.#held = EMPTY;
            }
            if (stream) {
                const tail = utf8OpenTail(bytes);
                if (tail !== 0) {
                    this.#held = bytes.slice(bytes.length - tail);
                    bytes = bytes.subarray(0, bytes.length - tail);
                }
            }
            const keepBOM = this.#ignoreBOM || this.#begun;
            this.#begun = stream && (this.#begun || bytes.length !== 0);
            const text = utf8Decode(bytes, this.#fatal, keepBOM);
            if (text === undefined) {
                this.#held = EMPTY;
                this.#begun = false;
                throw new TypeError('The encoded data was not valid for encoding utf-8');
            }
            return text;
        }
    }
    native.tag(TextDecoder, 'TextDecoder');
    native.define('TextEncoder', TextEncoder);
    native.define('TextDecoder', TextDecoder);
}
