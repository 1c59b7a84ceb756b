// SPDX-License-Identifier: MIT
// Web Cryptography, section 14: SubtleCrypto with digests, HMAC, AES-GCM, AES-CBC and PBKDF2, on libcrypto. What is quick is done at
// once; the promise is for the standard's sake. Keys of RSA, elliptic curves and the other modes are not here.
'use strict';
const { digest, hmac, pbkdf2, aes, sameBytes, randomFill } = native;
const { need } = native.idl;
const { DOMException } = native.own;
const MAKE = Symbol('make');
const HASHES = { 'SHA-1': [20, 64], 'SHA-256': [32, 64], 'SHA-384': [48, 128], 'SHA-512': [64, 128] };
const USAGES = ['encrypt', 'decrypt', 'sign', 'verify', 'deriveKey', 'deriveBits', 'wrapKey', 'unwrapKey'];
const ALLOWED = {
    HMAC: ['sign', 'verify'], 'AES-GCM': ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'],
    'AES-CBC': ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'], PBKDF2: ['deriveKey', 'deriveBits'],
};
const fail = (name, message) => { throw new DOMException(message, name); };

// A copy, as the standard has it: the page may write to its buffer meanwhile.
function bytesOf(value, what) {
    if (ArrayBuffer.isView(value))
        return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
    if (native.isBuffer(value))
        return new Uint8Array(value).slice();
    throw new TypeError(what + ' must be a buffer or a view of one');
}
// Section 18.4, "normalize an algorithm"
function algorithmOf(value, names, what) {
    const given = typeof value === 'string' ? { name: value } : value;
    if (given === null || typeof given !== 'object' || given.name === undefined)
        throw new TypeError('An algorithm must be a name or an object with one');
    const wanted = `${given.name}`.toUpperCase();
    const name = names.find((known) => known.toUpperCase() === wanted);
    if (name === undefined)
        fail('NotSupportedError', `${what}: the algorithm "${given.name}" is not available`);
    return { ...given, name };
}
const hashOf = (value) => {
    if (value === undefined)
        throw new TypeError('The algorithm needs a hash');
    return algorithmOf(value, Object.keys(HASHES), 'hash').name;
};
const buffer = (bytes) => {
    if (bytes === undefined)
        fail('OperationError', 'The operation failed');
    return bytes.buffer;
};

let inside;
class CryptoKey {
    #type = 'secret';
    #extractable;
    #algorithm;
    #usages;
    #bytes;
    constructor(key = undefined, algorithm = undefined, extractable = undefined, usages = undefined, bytes = undefined) {
        if (key !== MAKE)
            throw new TypeError('Illegal constructor');
        this.#algorithm = algorithm;
        this.#extractable = Boolean(extractable);
        this.#usages = USAGES.filter((usage) => usages.includes(usage));
        this.#bytes = bytes;
    }
    static {
        inside = (key) => typeof key === 'object' && key !== null && #bytes in key ? key.#bytes : undefined;
    }
    get type() { return this.#type; }
    get extractable() { return this.#extractable; }
    get algorithm() { return this.#algorithm; }
    get usages() { return this.#usages; }
}
native.tag(CryptoKey, 'CryptoKey');

function secretOf(key, name, usage) {
    const bytes = inside(key);
    if (bytes === undefined)
        throw new TypeError('The key must be a CryptoKey');
    if (key.algorithm.name !== name)
        fail('InvalidAccessError', `The key is for ${key.algorithm.name}, not for ${name}`);
    if (!key.usages.includes(usage))
        fail('InvalidAccessError', `The key was not made for "${usage}"`);
    return bytes;
}
function makeKey(name, algorithm, extractable, usages, bytes) {
    const list = [...usages].map((usage) => {
        if (!USAGES.includes(`${usage}`))
            throw new TypeError(`"${usage}" is no use of a key`);
        return `${usage}`;
    });
    if (list.some((usage) => !ALLOWED[name].includes(usage)))
        fail('SyntaxError', `A key for ${name} can't have these uses`);
    if (name === 'PBKDF2') {
        if (extractable)
            fail('SyntaxError', 'A key for PBKDF2 is not extractable');
    } else if (list.length === 0) {
        fail('SyntaxError', 'A key needs a use');
    }
    if (name.startsWith('AES') && ![16, 24, 32].includes(bytes.length))
        fail('DataError', 'A key for AES has 128, 192 or 256 bits');
    if (name === 'HMAC' && bytes.length === 0)
        fail('DataError', 'A key for HMAC must not be empty');
    const own = name === 'HMAC'
        ? { name, length: bytes.length * 8, hash: { name: hashOf(algorithm.hash) } }
        : name === 'PBKDF2' ? { name } : { name, length: bytes.length * 8 };
    return new CryptoKey(MAKE, own, extractable, list, bytes);
}

const toBase64Url = (bytes) => native.own.btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
const fromBase64Url = (text) => Uint8Array.from(native.own.atob(`${text}`.replace(/-/g, '+').replace(/_/g, '/')),
    (c) => c.charCodeAt(0));
const jwkName = (algorithm) => algorithm.name === 'HMAC' ? 'HS' + algorithm.hash.name.slice(4)
    : `A${algorithm.length}${algorithm.name.slice(4)}`;

function aesRun(encrypt, algorithm, key, data) {
    const gcm = algorithm.name === 'AES-GCM';
    const iv = bytesOf(algorithm.iv, 'iv');
    const tagBits = gcm ? algorithm.tagLength ?? 128 : 0;
    if (gcm ? ![32, 64, 96, 104, 112, 120, 128].includes(tagBits) || iv.length === 0 : iv.length !== 16)
        fail('OperationError', 'iv or tagLength is not of a length that can be');
    const more = gcm && algorithm.additionalData !== undefined
        ? bytesOf(algorithm.additionalData, 'additionalData') : undefined;
    return buffer(aes(encrypt, gcm, key, iv, more, data, tagBits / 8));
}
// Section 31 (HMAC) and 27 (AES): how many bits a key has that is made here
function bitsOf(algorithm) {
    if (algorithm.name !== 'HMAC') {
        if (![128, 192, 256].includes(algorithm.length))
            fail('OperationError', 'A key for AES has 128, 192 or 256 bits');
        return algorithm.length;
    }
    const bits = algorithm.length === undefined ? HASHES[hashOf(algorithm.hash)][1] * 8 : Number(algorithm.length);
    if (!(bits > 0) || bits % 8 !== 0)
        fail('OperationError', 'The length of a key must be a multiple of 8 above 0');
    return bits;
}
function derive(algorithm, key, bits, usage) {
    const password = secretOf(key, 'PBKDF2', usage);
    const hash = hashOf(algorithm.hash);
    const salt = bytesOf(algorithm.salt, 'salt');
    const iterations = Number(algorithm.iterations);
    if (!(iterations >= 1) || bits === null || bits % 8 !== 0)
        fail('OperationError', 'iterations must be 1 or more, the length a multiple of 8');
    return buffer(pbkdf2(hash, password, salt, iterations, bits / 8));
}

const FORMATS = ['raw', 'spki', 'pkcs8', 'jwk']; // section 14.1, KeyFormat

class SubtleCrypto {
    constructor(key = undefined) {
        if (key !== MAKE)
            throw new TypeError('Illegal constructor');
    }
    async digest(algorithm, data) {
        need(2, arguments.length, 'digest');
        const { name } = algorithmOf(algorithm, Object.keys(HASHES), 'digest');
        return buffer(digest(name, bytesOf(data, 'data')));
    }
    async sign(algorithm, key, data) {
        need(3, arguments.length, 'sign');
        algorithmOf(algorithm, ['HMAC'], 'sign');
        const bytes = bytesOf(data, 'data');
        const secret = secretOf(key, 'HMAC', 'sign');
        return buffer(hmac(key.algorithm.hash.name, secret, bytes));
    }
    async verify(algorithm, key, signature, data) {
        need(4, arguments.length, 'verify');
        algorithmOf(algorithm, ['HMAC'], 'verify');
        const given = bytesOf(signature, 'signature');
        const bytes = bytesOf(data, 'data');
        const secret = secretOf(key, 'HMAC', 'verify');
        return sameBytes(hmac(key.algorithm.hash.name, secret, bytes), given);
    }
    async encrypt(algorithm, key, data) {
        need(3, arguments.length, 'encrypt');
        const given = algorithmOf(algorithm, ['AES-GCM', 'AES-CBC'], 'encrypt');
        return aesRun(true, given, secretOf(key, given.name, 'encrypt'), bytesOf(data, 'data'));
    }
    async decrypt(algorithm, key, data) {
        need(3, arguments.length, 'decrypt');
        const given = algorithmOf(algorithm, ['AES-GCM', 'AES-CBC'], 'decrypt');
        return aesRun(false, given, secretOf(key, given.name, 'decrypt'), bytesOf(data, 'data'));
    }
    async deriveBits(algorithm, key, length = null) {
        need(2, arguments.length, 'deriveBits');
        return derive(algorithmOf(algorithm, ['PBKDF2'], 'deriveBits'), key, length, 'deriveBits');
    }
    async deriveKey(algorithm, key, wanted, extractable, usages) {
        need(5, arguments.length, 'deriveKey');
        const given = algorithmOf(algorithm, ['PBKDF2'], 'deriveKey');
        const target = algorithmOf(wanted, ['HMAC', 'AES-GCM', 'AES-CBC'], 'deriveKey');
        const bytes = new Uint8Array(derive(given, key, bitsOf(target), 'deriveKey'));
        return makeKey(target.name, target, extractable, usages, bytes);
    }
    async generateKey(algorithm, extractable, usages) {
        need(3, arguments.length, 'generateKey');
        const given = algorithmOf(algorithm, ['HMAC', 'AES-GCM', 'AES-CBC'], 'generateKey');
        const bytes = new Uint8Array(bitsOf(given) / 8);
        randomFill(bytes);
        return makeKey(given.name, given, extractable, usages, bytes);
    }
    async importKey(format, data, algorithm, extractable, usages) {
        need(5, arguments.length, 'importKey');
        native.idl.oneOf(format, FORMATS, 'The format');
        const given = algorithmOf(algorithm, ['HMAC', 'AES-GCM', 'AES-CBC', 'PBKDF2'], 'importKey');
        if (format === 'raw')
            return makeKey(given.name, given, extractable, usages, bytesOf(data, 'The key'));
        if (format !== 'jwk' || given.name === 'PBKDF2')
            fail('NotSupportedError', `The format "${format}" is not available for ${given.name}`);
        if (data?.kty !== 'oct' || data.ext === false && extractable ||
            data.key_ops !== undefined && [...usages].some((usage) => !data.key_ops.includes(usage)))
            fail('DataError', 'The JWK is not for this key');
        const key = makeKey(given.name, given, extractable, usages, fromBase64Url(data.k));
        if (data.alg !== undefined && data.alg !== jwkName(key.algorithm))
            fail('DataError', `The JWK is for ${data.alg}`);
        return key;
    }
    async exportKey(format, key) {
        need(2, arguments.length, 'exportKey');
        native.idl.oneOf(format, FORMATS, 'The format');
        const bytes = inside(key);
        if (bytes === undefined)
            throw new TypeError('The key must be a CryptoKey');
        if (!key.extractable)
            fail('InvalidAccessError', 'The key is not extractable');
        if (format === 'raw')
            return bytes.slice().buffer;
        if (format !== 'jwk')
            fail('NotSupportedError', `The format "${format}" is not available`);
        return { kty: 'oct', k: toBase64Url(bytes), alg: jwkName(key.algorithm), key_ops: [...key.usages],
            ext: key.extractable };
    }
}
native.tag(SubtleCrypto, 'SubtleCrypto');
return { SubtleCrypto, CryptoKey, subtle: new SubtleCrypto(MAKE) };
