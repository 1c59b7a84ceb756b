// SPDX-License-Identifier: MIT
// node:util, as far as bundles of servers use it: format and inspect are those of the console.
'use strict';
const { inspect: show } = native;
const custom = Symbol.for('nodejs.util.promisify.custom');
const tagOf = (value) => Object.prototype.toString.call(value).slice(8, -1);
const inspect = (value) => typeof value === 'object' && value !== null &&
    typeof value[inspect.custom] === 'function' ? `${value[inspect.custom](2, {}, inspect)}` : show(value);
inspect.custom = Symbol.for('nodejs.util.inspect.custom');
inspect.defaultOptions = {};

function format(first, ...rest) {
    if (typeof first !== 'string')
        return [first, ...rest].map((value) => typeof value === 'string' ? value : inspect(value)).join(' ');
    const text = first.replace(/%[sdifjoOc%]/g, (what) => {
        if (what === '%%' || rest.length === 0)
            return what === '%%' && rest.length !== 0 ? '%' : what;
        const value = rest.shift();
        switch (what) {
        case '%s': return typeof value === 'object' && value !== null ? inspect(value) : String(value);
        case '%d': return typeof value === 'object' ? 'NaN' : `${Number(value)}`;
        case '%i': return `${Number.parseInt(value, 10)}`;
        case '%f': return `${Number.parseFloat(value)}`;
        case '%j': return JSON.stringify(value);
        case '%c': return '';
        default: return inspect(value);
        }
    });
    return [text, ...rest.map((value) => typeof value === 'string' ? value : inspect(value))].join(' ');
}

function promisify(original) {
    if (typeof original !== 'function')
        throw new TypeError('promisify needs a function');
    if (original[custom] !== undefined)
        return original[custom];
    const promised = function (...given) {
        return new Promise((resolve, reject) => {
            Reflect.apply(original, this, [...given, (error, value) => error ? reject(error) : resolve(value)]);
        });
    };
    return Object.defineProperties(Object.setPrototypeOf(promised, Object.getPrototypeOf(original)),
        Object.getOwnPropertyDescriptors(original));
}
promisify.custom = custom;

function callbackify(original) {
    return function (...given) {
        const done = given.pop();
        Reflect.apply(original, this, given).then((value) => process.nextTick(done, null, value),
            (error) => process.nextTick(done, error ?? new Error('rejected with ' + error)));
    };
}

// "strict": the same types, prototypes and own enumerable properties
function isDeepStrictEqual(a, b, seen = new Map()) {
    if (Object.is(a, b))
        return true;
    if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null ||
        Object.getPrototypeOf(a) !== Object.getPrototypeOf(b) || tagOf(a) !== tagOf(b))
        return false;
    if (seen.get(a) === b)
        return true;
    seen.set(a, b);
    const same = (x, y) => isDeepStrictEqual(x, y, seen);
    if (a instanceof Date || a instanceof Number || a instanceof String || a instanceof Boolean)
        if (!Object.is(a.valueOf(), b.valueOf()))
            return false;
    if (a instanceof RegExp && `${a}` !== `${b}`)
        return false;
    if (a instanceof Error && (a.message !== b.message || a.name !== b.name))
        return false;
    if (a instanceof Map && (a.size !== b.size || ![...a].every(([key, value]) => b.has(key) ? same(value, b.get(key))
        : typeof key === 'object' && [...b].some(([other, its]) => same(key, other) && same(value, its)))))
        return false;
    if (a instanceof Set && (a.size !== b.size || ![...a].every((value) => b.has(value) ||
        typeof value === 'object' && [...b].some((other) => same(value, other)))))
        return false;
    if (ArrayBuffer.isView(a) && !(a instanceof DataView))
        return a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
    const keys = Reflect.ownKeys(a).filter((key) => Object.prototype.propertyIsEnumerable.call(a, key));
    const others = Reflect.ownKeys(b).filter((key) => Object.prototype.propertyIsEnumerable.call(b, key));
    return keys.length === others.length && (!Array.isArray(a) || a.length === b.length) &&
        keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

const types = {
    isPromise: (value) => value instanceof Promise, isDate: (value) => tagOf(value) === 'Date',
    isRegExp: (value) => tagOf(value) === 'RegExp', isMap: (value) => value instanceof Map,
    isSet: (value) => value instanceof Set, isWeakMap: (value) => value instanceof WeakMap,
    isWeakSet: (value) => value instanceof WeakSet, isNativeError: (value) => value instanceof Error,
    isArrayBuffer: (value) => value instanceof ArrayBuffer, isAnyArrayBuffer: (value) => native.isBuffer(value),
    isArrayBufferView: (value) => ArrayBuffer.isView(value), isDataView: (value) => value instanceof DataView,
    isTypedArray: (value) => ArrayBuffer.isView(value) && !(value instanceof DataView),
    isUint8Array: (value) => value instanceof Uint8Array, isProxy: () => false,
    isAsyncFunction: (value) => tagOf(value) === 'AsyncFunction',
    isGeneratorFunction: (value) => /GeneratorFunction$/.test(tagOf(value)),
    isGeneratorObject: (value) => tagOf(value) === 'Generator', isSymbolObject: (value) => typeof value === 'object' && tagOf(value) === 'Symbol',
    isBoxedPrimitive: (value) => typeof value === 'object' && /^(?:Number|String|Boolean|BigInt|Symbol)$/.test(tagOf(value)),
};

const exports = {
    inspect, format, promisify, callbackify, isDeepStrictEqual, types,
    formatWithOptions: (options, ...values) => format(...values),
    inherits(constructor, parent) {
        Object.defineProperty(constructor, 'super_', { value: parent, writable: true, configurable: true });
        Object.setPrototypeOf(constructor.prototype, parent.prototype);
    },
    deprecate: (original) => original,
    debuglog: () => Object.assign(() => { }, { enabled: false }),
    stripVTControlCharacters: (text) => `${text}`.replace(/\u001b\[[0-9;]*[A-Za-z]/g, ''),
    toUSVString: native.idl.usv,
    isArray: Array.isArray,
    TextEncoder, TextDecoder,
};
exports.debug = exports.debuglog;
exports.default = exports;
return exports;
