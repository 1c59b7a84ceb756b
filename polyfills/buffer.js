// SPDX-License-Identifier: MIT
// node:buffer and the global Buffer: npm's buffer, with UTF-8 native and the encoding "base64url", which it lacks.
'use strict';
const { buffer } = native.load('npm_node.js');
const { Buffer } = buffer;
const { utf8Encode, utf8Decode, base64Encode, base64Decode } = native;
const utf8 = /^utf-?8$/i;
const base64url = /^base64url$/i;
const base64 = /^base64(?:url)?$/i;
const { from, isEncoding, byteLength } = Buffer;
const { toString, write } = Buffer.prototype;

// base64 of either alphabet is read by "base64"
const known = (encoding) => typeof encoding === 'string' && base64url.test(encoding) ? 'base64' : encoding;
const define = (target, name, value) => Object.defineProperty(target, name, { value, writable: true, configurable: true });

define(Buffer, 'from', function (value, encoding, length) {
    if (typeof value === 'string' && (encoding === undefined || encoding === null || utf8.test(encoding)))
        return Object.setPrototypeOf(utf8Encode(value), Buffer.prototype);
    if (typeof value === 'string' && base64.test(encoding)) {
        const bytes = base64Decode(value.includes('-') || value.includes('_') ? value.replace(/-/g, '+').replace(/_/g, '/') : value, true);
        if (bytes !== undefined) // else npm's, which passes over what is no base64
            return Object.setPrototypeOf(bytes, Buffer.prototype);
    }
    return Reflect.apply(from, Buffer, [typeof value === 'string' ? fromText(value, encoding) : value, known(encoding), length]);
});
define(Buffer, 'isEncoding', (encoding) => isEncoding(encoding) || base64url.test(`${encoding}`));
define(Buffer, 'byteLength', (value, encoding) => byteLength(value, known(encoding)));
const part = (buffer, start, end) => start === 0 && end === buffer.length ? buffer
    : buffer.subarray(Math.max(start | 0, 0), Math.max(end | 0, 0));
define(Buffer.prototype, 'toString', function (encoding, start = 0, end = this.length) {
    if (encoding === undefined || encoding === null || utf8.test(encoding))
        return utf8Decode(part(this, start, end), false, true);
    const text = base64.test(encoding) ? base64Encode(part(this, start, end))
        : Reflect.apply(toString, this, [known(encoding), start, end]);
    return base64url.test(encoding) ? text.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '') : text;
});
define(Buffer.prototype, 'write', function (text, ...rest) {
    return Reflect.apply(write, this, [text, ...rest.map(known)]);
});
// npm's takes "0g" for a digit; Node.js stops at the first pair that is none.
const hexadecimal = /^(?:[0-9A-Fa-f]{2})*/;
const fromText = (value, encoding) => /^hex$/i.test(encoding) ? hexadecimal.exec(value)[0] : value;
// utf8Slice(start, end) and utf8Write(text, offset, length) and their like, which Node.js' own streams and some packages call
for (const encoding of ['ascii', 'base64', 'base64url', 'hex', 'latin1', 'ucs2', 'utf8']) {
    define(Buffer.prototype, encoding + 'Slice', function (start = 0, end = this.length) {
        return this.toString(encoding, start, end);
    });
    define(Buffer.prototype, encoding + 'Write', function (text, offset = 0, length = this.length - offset) {
        return this.write(text, offset, length, encoding);
    });
}
for (const name of ['readBigUInt64LE', 'readBigUInt64BE', 'writeBigUInt64LE', 'writeBigUInt64BE'])
    define(Buffer.prototype, name.replace('UInt', 'Uint'), Buffer.prototype[name]);
define(Buffer, 'copyBytesFrom', (view, offset = 0, length = view.length - offset) => {
    const part = view.subarray(offset, offset + length);
    return Buffer.from(Buffer.from(part.buffer, part.byteOffset, part.byteLength));
});
define(Buffer, 'name', 'Buffer'); // the bundler called it otherwise

// Node.js takes any Uint8Array where npm's buffer wants one of its own: Next.js' edge pages look for one in another.
const own = (value) => value instanceof Uint8Array && !Buffer.isBuffer(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
for (const name of ['copy', 'equals', 'fill', 'includes', 'indexOf', 'lastIndexOf']) {
    const method = Buffer.prototype[name];
    define(Buffer.prototype, name, function (first, ...rest) {
        return Reflect.apply(method, this, [own(first), ...rest]);
    });
}
const exports = {
    Buffer, SlowBuffer: buffer.SlowBuffer, INSPECT_MAX_BYTES: buffer.INSPECT_MAX_BYTES, kMaxLength: buffer.kMaxLength,
    constants: { MAX_LENGTH: buffer.kMaxLength, MAX_STRING_LENGTH: 536870888 },
    isUtf8: (bytes) => native.utf8Decode(new Uint8Array(bytes.buffer ?? bytes), true, true) !== undefined,
    isAscii: (bytes) => new Uint8Array(bytes.buffer ?? bytes).every((byte) => byte < 128),
    get Blob() { return Blob; }, get File() { return File; }, get atob() { return atob; }, get btoa() { return btoa; },
};
exports.default = exports;
return exports;
