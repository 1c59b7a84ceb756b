// SPDX-License-Identifier: MIT
// node:crypto: hashes, HMAC, PBKDF2, randomness; all native. What is not here throws an error that names it.
'use strict';
const { digest, hmac, pbkdf2, randomFill, randomUUID, sameBytes } = native;
const { Buffer } = native.load('buffer.js');
const { crypto, process: { nextTick } } = native.own;
const bytesOf = (data, encoding) => typeof data === 'string' ? Buffer.from(data, encoding) : ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice() : new Uint8Array(data).slice();
const give = (bytes, encoding) => {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return encoding === undefined || encoding === null || encoding === 'buffer' ? buffer : buffer.toString(encoding);
};
const names = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'sha512-256', 'ripemd160', 'sha3-256', 'sha3-384', 'sha3-512'];

// What was given to update() is kept until digest(): pages hash little.
class Hash {
    #chunks = [];
    #run;
    #done = false;
    constructor(run, chunks = []) {
        this.#run = run;
        this.#chunks = chunks;
    }
    update(data, encoding = undefined) {
        if (this.#done)
            throw Object.assign(new Error('Digest already called'), { code: 'ERR_CRYPTO_HASH_FINALIZED' });
        if (typeof data !== 'string' && !ArrayBuffer.isView(data))
            throw Object.assign(new TypeError('The "data" argument must be a string or a view of a buffer'),
                { code: 'ERR_INVALID_ARG_TYPE' });
        this.#chunks.push(bytesOf(data, encoding));
        return this;
    }
    digest(encoding = undefined) {
        if (this.#done)
            throw Object.assign(new Error('Digest already called'), { code: 'ERR_CRYPTO_HASH_FINALIZED' });
        this.#done = true;
        return give(this.#run(Buffer.concat(this.#chunks)), encoding);
    }
    copy() { return new Hash(this.#run, [...this.#chunks]); }
}
const known = (name, out) => {
    if (out === undefined)
        throw Object.assign(new Error('Digest method not supported: ' + name), { code: 'ERR_CRYPTO_INVALID_DIGEST' });
    return out;
};
function createHash(name) {
    known(name, digest(`${name}`, new Uint8Array(0)));
    return new Hash((bytes) => digest(`${name}`, bytes));
}
function createHmac(name, key) {
    const secret = bytesOf(key);
    known(name, hmac(`${name}`, secret, new Uint8Array(0)));
    return new Hash((bytes) => hmac(`${name}`, secret, bytes));
}
function pbkdf2Sync(password, salt, iterations, length, name) {
    return give(known(name, pbkdf2(name, bytesOf(password), bytesOf(salt), iterations, length)));
}
function randomBytes(size, done = undefined) {
    const bytes = Buffer.alloc(size);
    randomFill(bytes);
    return done === undefined ? bytes : void nextTick(done, null, bytes);
}
// Without bias: what lies above the last whole multiple of the range is drawn again.
function randomInt(min, max = undefined, done = undefined) {
    if (max === undefined || typeof max === 'function')
        return randomInt(0, min, max);
    const range = max - min;
    if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max) || range < 1 || range > 2 ** 48)
        throw new RangeError('randomInt needs whole numbers, min below max, at most 2^48 apart');
    const limit = 2 ** 48 - 2 ** 48 % range;
    for (;;) {
        const drawn = randomBytes(6).readUIntBE(0, 6);
        if (drawn < limit)
            return done === undefined ? drawn % range + min : void nextTick(done, null, drawn % range + min);
    }
}
// RFC 5869
function hkdfSync(name, key, salt, info, length) {
    const of = (secret, data) => known(name, hmac(`${name}`, secret, data));
    const secret = of(bytesOf(salt), bytesOf(key));
    const context = bytesOf(info);
    const out = [];
    let last = new Uint8Array(0);
    for (let bytes = 0; bytes < length; bytes += last.length) {
        if (out.length === 255)
            throw Object.assign(new RangeError('Invalid key length'), { code: 'ERR_CRYPTO_INVALID_KEYLEN' });
        last = new Uint8Array(of(secret, Buffer.concat([last, context, new Uint8Array([out.length + 1])])));
        out.push(last);
    }
    return new Uint8Array(Buffer.concat(out)).slice(0, length).buffer;
}
const exports = {
    hkdfSync, constants: {}, Hash, getCiphers: () => [], getCurves: () => [],
    hkdf(name, key, salt, info, length, done) {
        const bytes = hkdfSync(name, key, salt, info, length);
        nextTick(done, null, bytes);
    },
    randomFill(buffer, ...rest) {
        exports.randomFillSync(buffer, ...rest.slice(0, -1));
        nextTick(rest[rest.length - 1], null, buffer);
    },
    createHash, createHmac, pbkdf2Sync, randomBytes, randomInt,
    hash: (name, data, encoding = 'hex') => createHash(name).update(data).digest(encoding),
    pbkdf2(password, salt, iterations, length, name, done) {
        const bytes = pbkdf2Sync(password, salt, iterations, length, name);
        nextTick(done, null, bytes);
    },
    randomUUID: () => randomUUID(),
    randomFillSync(buffer, offset = 0, size = undefined) {
        const unit = ArrayBuffer.isView(buffer) ? buffer.BYTES_PER_ELEMENT ?? 1 : 1;
        const bytes = ArrayBuffer.isView(buffer) ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
            : new Uint8Array(buffer);
        randomFill(bytes.subarray(offset * unit, size === undefined ? undefined : (offset + size) * unit));
        return buffer;
    },
    timingSafeEqual(a, b) {
        if (a.byteLength !== b.byteLength)
            throw Object.assign(new RangeError('Input buffers must have the same byte length'),
                { code: 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH' });
        return sameBytes(a, b);
    },
    getRandomValues: (array) => crypto.getRandomValues(array),
    getHashes: () => names.filter((name) => digest(name, new Uint8Array(0)) !== undefined),
    get webcrypto() { return crypto; },
    get subtle() { return crypto.subtle; },
};
for (const name of ['createCipheriv', 'createDecipheriv', 'createSign', 'createVerify', 'createSecretKey', 'createPublicKey',
    'createPrivateKey', 'generateKeyPair', 'generateKeyPairSync', 'scrypt', 'scryptSync', 'createDiffieHellman', 'createDiffieHellmanGroup',
    'createECDH', 'diffieHellman', 'sign', 'verify', 'generateKey', 'generateKeySync', 'publicEncrypt', 'publicDecrypt',
    'privateEncrypt', 'privateDecrypt'])
    exports[name] = () => { throw new Error(`node:crypto: ${name} is not available here`); };
exports.default = exports;
return exports;
