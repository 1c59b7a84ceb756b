// SPDX-License-Identifier: MIT
// node:util, as far as bundles of servers use it: format and inspect are those of the console.
'use strict';
const { inspect: show, format } = native;
const { nextTick } = native.own.process;
const custom = Symbol.for('nodejs.util.promisify.custom');
const tagOf = (value) => Object.prototype.toString.call(value).slice(8, -1);
const inspect = (value) => show(value);
inspect.custom = Symbol.for('nodejs.util.inspect.custom');
inspect.defaultOptions = {};

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
        Reflect.apply(original, this, given).then((value) => nextTick(done, null, value),
            (error) => nextTick(done, error ?? new Error('rejected with ' + error)));
    };
}

const bytesOf = (data) => ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
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
    if (a instanceof Date || types.isBoxedPrimitive(a))
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
    if ((a instanceof DataView || native.isBuffer(a)) && !same(bytesOf(a), bytesOf(b)))
        return false;
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
    isArgumentsObject: (value) => tagOf(value) === 'Arguments', isSharedArrayBuffer: (value) => tagOf(value) === 'SharedArrayBuffer',
    isModuleNamespaceObject: (value) => tagOf(value) === 'Module', isMapIterator: (value) => tagOf(value) === 'Map Iterator',
    isSetIterator: (value) => tagOf(value) === 'Set Iterator', isExternal: () => false, isKeyObject: () => false,
    isCryptoKey: (value) => value instanceof native.load('subtle.js').CryptoKey,
    isBoxedPrimitive: (value) => typeof value === 'object' && /^(?:Number|String|Boolean|BigInt|Symbol)$/.test(tagOf(value)),
};
for (const name of ['Number', 'String', 'Boolean', 'BigInt'])
    types[`is${name}Object`] = (value) => typeof value === 'object' && tagOf(value) === name;
for (const name of ['Uint8Clamped', 'Uint16', 'Uint32', 'Int8', 'Int16', 'Int32', 'Float32', 'Float64', 'BigInt64', 'BigUint64'])
    types[`is${name}Array`] = (value) => ArrayBuffer.isView(value) && tagOf(value) === name + 'Array';

// ECMA-48, "Select graphic rendition": [on, off] of what styleText() knows
const styles = { reset: [0, 0], bold: [1, 22], dim: [2, 22], italic: [3, 23], underline: [4, 24], blink: [5, 25], inverse: [7, 27],
    hidden: [8, 28], strikethrough: [9, 29] };
['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'].forEach((name, i) => {
    const Name = name[0].toUpperCase() + name.slice(1);
    Object.assign(styles, { [name]: [30 + i, 39], ['bg' + Name]: [40 + i, 49], [name + 'Bright']: [90 + i, 39],
        [`bg${Name}Bright`]: [100 + i, 49] });
});
styles.gray = styles.grey = styles.blackBright;
inspect.colors = styles;
inspect.styles = {};

function styleText(format, text) {
    const formats = Array.isArray(format) ? format : [format];
    return formats.reduceRight((inside, name) => {
        if (styles[name] === undefined)
            throw Object.assign(new TypeError(`There is no style "${name}"`), { code: 'ERR_INVALID_ARG_VALUE' });
        return `\x1b[${styles[name][0]}m${inside}\x1b[${styles[name][1]}m`;
    }, `${text}`);
}

// What Node.js' timers have for it
for (const name of ['setTimeout', 'setImmediate'])
    Object.defineProperty(native[name], custom, { value: native.builtin('node:timers/promises', '')[name], configurable: true });

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
    styleText,
    aborted: (signal) => new Promise((resolve) => signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })),
    // deprecated, and still asked for by packages of that age
    isArray: Array.isArray,
    isBoolean: (value) => typeof value === 'boolean', isNull: (value) => value === null,
    isNullOrUndefined: (value) => value === null || value === undefined, isNumber: (value) => typeof value === 'number',
    isString: (value) => typeof value === 'string', isSymbol: (value) => typeof value === 'symbol',
    isUndefined: (value) => value === undefined, isRegExp: types.isRegExp, isDate: types.isDate,
    isObject: (value) => value !== null && typeof value === 'object', isError: (value) => value instanceof Error,
    isFunction: (value) => typeof value === 'function',
    isPrimitive: (value) => value === null || typeof value !== 'object' && typeof value !== 'function',
    isBuffer: (value) => native.load('buffer.js').Buffer.isBuffer(value),
    TextEncoder, TextDecoder,
};
exports.debug = exports.debuglog;
exports.default = exports;
return exports;
