// SPDX-License-Identifier: MIT
// Web Cryptography, section 10: getRandomValues and randomUUID, from getrandom(2); subtle loads subtle.js.
'use strict';
{
    const { randomFill, randomUUID } = native;
    const { DOMException } = native.own;
    const QUOTA_BYTES = 65536;
    const integers = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array,
        Uint32Array, BigInt64Array, BigUint64Array];
    const MAKE = Symbol('make');
    class Crypto {
        #own = true;
        constructor(key = undefined) {
            if (key !== MAKE)
                throw new TypeError('Illegal constructor');
        }
        get subtle() { return this.#own && native.load('subtle.js').subtle; }
        getRandomValues(array) {
            native.idl.need(1, arguments.length, 'getRandomValues');
            if (!integers.some((type) => array instanceof type))
                throw new DOMException('getRandomValues needs an array of integers', 'TypeMismatchError');
            if (array.byteLength > QUOTA_BYTES)
                throw new DOMException('getRandomValues gives at most 65536 bytes', 'QuotaExceededError');
            randomFill(array);
            return array;
        }
        randomUUID() { return randomUUID(); }
    }
    native.tag(Crypto, 'Crypto');
    native.define('Crypto', Crypto);
    native.define('crypto', new Crypto(MAKE));
}
