// SPDX-License-Identifier: MIT
// No standard: render.isolation = reset (worker/README.md, "Isolation"). After a bundle has loaded, record() takes
// down all properties of the global object and of the intrinsics (constructors, prototypes,
// namespaces, ours too); restore() puts back what a render has changed, added or removed. It looks
// first whether anything has, by comparisons generated for this realm; only then it works.
'use strict';
{
    const { apply, ownKeys, getOwnPropertyDescriptor, getPrototypeOf, setPrototypeOf, defineProperty,
        deleteProperty } = Reflect;
    const { keys, is } = Object;
    const { exec } = RegExp.prototype;
    const { has, set, forEach } = Map.prototype;
    const { toString: symbolText } = Symbol.prototype;
    const GlobalFunction = Function;
    const global = globalThis;
    const { later, lazyNames, kept } = native;
    const PART = 60; // comparisons in one generated function: short ones are optimised
    const identifier = /^[A-Za-z_$][\w$]*$/;

    const WARN = 3;    // JS_CONSOLE_WARN
    const told = { __proto__: null };

    let record = null; // [{target, prototype, own, count}], the global object first
    let globalChecks = null; // each () => nothing of its part has changed; null: not made yet
    let intrinsicChecks = null;
    let anyRegExp = null;
    let accessors = []; // of the bundle on the global object, whose hidden class does not tell: [key, getter, setter]

    // What this file works with inherits nothing: renders may have put accessors on Object.prototype and Array.prototype.
    function list() {
        const empty = [];
        setPrototypeOf(empty, null);
        return empty;
    }
    function propertyOf(target, key) {
        const own = getOwnPropertyDescriptor(target, key);
        if (own !== undefined)
            setPrototypeOf(own, null);
        return own;
    }

    const isObject = (value) => typeof value === 'object' && value !== null || typeof value === 'function';
    const isSkipped = (target, key) => target === global && lazyNames[key] === true;
    const isSame = (a, b) => a !== undefined && b !== undefined && is(a.value, b.value) && a.get === b.get &&
        a.set === b.set && a.writable === b.writable && a.enumerable === b.enumerable &&
        a.configurable === b.configurable;

    function take([target, name]) {
        const own = new Map();
        for (const key of ownKeys(target))
            if (!isSkipped(target, key))
                own.set(key, propertyOf(target, key));
        return { target, name, prototype: getPrototypeOf(target), own, count: keys(target).length };
    }

    // V8 answers keys() from the hidden class, unless the properties stand in a hash table, as they do in namespaces
    // and in prototypes that nobody has read through; then it costs 30 times as much. What is a prototype, and is read
    // through, is given a hidden class.
    const nobodys = Symbol('settle');
    const read = (object) => object[nobodys];
    function settle(target) {
        const heir = { __proto__: target };
        for (let i = 0; i < 4; i++)
            read(heir);
        keys(target);
    }

    // The intrinsics that pages patch, with their prototypes; of the others only what the global object
    // calls them is watched. Each costs every render some nanoseconds.
    const NAMES = ['Object', 'Function', 'Array', 'String', 'Number', 'Boolean', 'Symbol', 'RegExp', 'Date', 'Promise',
        'Map', 'Set', 'WeakMap', 'WeakSet', 'Error', 'TypeError', 'Uint8Array', 'ArrayBuffer', 'JSON', 'Math', 'Reflect', 'Intl',
        'console', 'crypto', 'performance', 'navigator', 'ssr', 'Headers', 'Request', 'Response', 'URL', 'URLSearchParams',
        'Event', 'EventTarget', 'AbortSignal', 'TextEncoder', 'TextDecoder', 'AsyncLocalStorage', 'process'];
    function intrinsics() { // -> Map of each to its name
        const found = new Map();
        const add = (value, name) => found.has(value) || found.set(value, name);
        for (const name of NAMES) {
            const value = global[name];
            if (!isObject(value))
                continue;
            add(value, name);
            if (typeof value === 'function')
                add(value.prototype, name + '.prototype');
            else if (getPrototypeOf(value) !== Object.prototype)
                add(getPrototypeOf(value), 'the prototype of ' + name);
        }
        if (isObject(global.process?.env))
            add(global.process.env, 'process.env');
        add(getPrototypeOf(global), 'globalThis.__proto__');
        add(getPrototypeOf([][Symbol.iterator]()), 'ArrayIterator.prototype');
        add(getPrototypeOf(function* () { }), 'GeneratorFunction.prototype');
        add(getPrototypeOf(Uint8Array), 'TypedArray');
        add(getPrototypeOf(Uint8Array.prototype), 'TypedArray.prototype');
        return found;
    }
    // This file loads last, before any bundle.
    let ours = new Map();
    native.whenConfigured(() => {
        if (native.isReset)
            ours = intrinsics();
    });

    // Data properties that can change, compared by value. Made when the first render is over, not while a worker starts: of
    // what was taken down at load, and with what no render can have put its hand on.
    const isCompared = (key, own) => 'value' in own && own.value === own.value &&
        (own.writable || own.configurable && key !== 'name' && key !== 'length');
    function generate(targets, values, names, tests) {
        let text = '"use strict";';
        for (let i = 0; i < targets.length; i++)
            text += 'const t' + i + '=targets[' + i + '];';
        for (let i = 0; i < values.length; i++)
            text += 'const v' + i + '=values[' + i + '];';
        for (let i = 0; i < names.length; i++)
            text += 'const n' + i + '=names[' + i + '];';
        return new GlobalFunction('targets', 'values', 'names', text + 'return(function(){return ' + tests + '})')(
            targets, values, names);
    }
    function checksOf(first, end) {
        const checks = [];
        let targets = [], values = [], names = [], tests = '';
        const flush = () => {
            if (values.length !== 0)
                checks[checks.length] = generate(targets, values, names, tests);
            targets = [], values = [], names = [], tests = '';
        };
        const access = (key) => {
            if (typeof key === 'string' && apply(exec, identifier, [key]) !== null)
                return '.' + key;
            names[names.length] = key; // a symbol, or text that is no name
            return '[n' + (names.length - 1) + ']';
        };
        for (let i = first; i < end; i++) {
            let isNamed = false;
            apply(forEach, record[i].own, [(own, key) => {
                if (!isCompared(key, own))
                    return;
                if (values.length === PART) {
                    flush();
                    isNamed = false;
                }
                if (!isNamed)
                    targets[targets.length] = record[i].target;
                isNamed = true;
                tests += (tests === '' ? '' : '&&') + 't' + (targets.length - 1) + access(key) + '===v' + values.length;
                values[values.length] = own.value;
            }]);
        }
        flush();
        return checks;
    }

    native.record = () => {
        record = [take([global, '']), ...[...ours].map(take)];
        [...ours.keys()].forEach(settle);
        globalChecks = intrinsicChecks = null;
        accessors = [...record[0].own].filter(([, { get, set }]) => (get ?? set) !== undefined && !later.isOurs(get))
            .map(([key, { get, set }]) => [key, get, set]);
        sets = later.sets;
        for (let i = 0; i < kept.length; i++)
            kept[i].keep();
        anyRegExp = /(?:)/;
        return record.map(({ target }) => target);
    };

    const pass = (checks) => {
        if (checks === null)
            return false;
        try {
            for (let i = 0; i < checks.length; i++)
                if (!checks[i]())
                    return false;
            return true;
        } catch { // a render's accessor in the place of a value
            return false;
        }
    };
    function areAccessorsIntact() {
        for (let i = 0; i < accessors.length; i++) {
            const now = propertyOf(global, accessors[i][0]);
            if (now === undefined || now.get !== accessors[i][1] || now.set !== accessors[i][2])
                return false;
        }
        return true;
    }
    // Where hidden classes can't be seen (js_shape.h): the numbers of those that have more or fewer properties that are
    // enumerable.
    function countedAnew() {
        const changed = list();
        for (let i = 0; i < record.length; i++)
            if (keys(record[i].target).length !== record[i].count)
                changed[changed.length] = i;
        return changed;
    }

    // later.js has loaded what stands since where accessors of its own did: from now on that is put back.
    let adopted = 0, sets = 0;
    function adoptLater() {
        adopted = later.loads;
        globalChecks = intrinsicChecks = null;
        for (let i = 0; i < record.length; i++) {
            const { own } = record[i];
            apply(forEach, own, [(before, key) => {
                const now = before.get === undefined ? undefined : later.nowOf(before.get);
                if (now !== undefined)
                    apply(set, own, [key, now]);
            }]);
        }
    }

    // What was made unchangeable gets at least its old value, and is told of once.
    function giveUp(target, key, own) {
        if (defineProperty(target, key, own) || typeof key !== 'string' || told[key] === true)
            return;
        told[key] = true;
        native.log(WARN, 'isolation: a render has fixed "' + key + '" for good: the next ones see it');
    }
    function remove({ target, name, own }, now, left) {
        for (let i = 0; i < now.length; i++)
            if (!apply(has, own, [now[i]]) && !isSkipped(target, now[i])) {
                left[left.length] = { target, name, key: now[i] };
                if (!deleteProperty(target, now[i]))
                    giveUp(target, now[i], { __proto__: null, value: undefined });
            }
    }
    function putBack(of, left) {
        const { target, name, prototype, own } = of;
        remove(of, ownKeys(target), left);
        apply(forEach, own, [(before, key) => {
            const now = propertyOf(target, key);
            if (!isSame(now, before)) {
                left[left.length] = { target, name, key };
                if (!defineProperty(target, key, before))
                    giveUp(target, key, 'value' in before ? { __proto__: null, value: before.value } : { __proto__: null });
            }
        }]);
        if (getPrototypeOf(target) !== prototype) {
            left[left.length] = { target, name, key: '__proto__' };
            setPrototypeOf(target, prototype);
        }
    }
    // The common case: the render has set globals of its own, and changed none.
    function tidy(global, left) {
        const { length } = left;
        remove(global, ownKeys(global.target), left);
        if (left.length === length)
            putBack(global, left);
    }
    function putIntrinsicBack(i, left, unsettled) {
        const { length } = left;
        putBack(record[i], left);
        if (left.length !== length)
            unsettled[unsettled.length] = record[i].target;
    }

    const nameOf = ({ name, key }) => {
        const text = typeof key === 'symbol' ? '[' + apply(symbolText, key, []) + ']' : key;
        return name === '' || typeof key === 'symbol' ? name + text : name + '.' + text;
    };
    let lately = list(); // what was put back last

    // changed: the numbers of the recorded objects that have gained, lost or reconfigured properties; undefined: none
    // has; true: nobody has looked. -> the names of what was put back; undefined: there was nothing to do
    native.restore = (changed) => {
        apply(exec, anyRegExp, ['']); // RegExp.$1 and its like
        for (let i = 0; i < kept.length; i++)
            kept[i].back();
        if (adopted !== later.loads)
            adoptLater();
        const isSet = sets !== later.sets;
        sets = later.sets;
        const isGlobalIntact = !isSet && pass(globalChecks) && areAccessorsIntact();
        const areOthersIntact = !isSet && pass(intrinsicChecks);
        if (changed === undefined && isGlobalIntact && areOthersIntact)
            return undefined;
        const left = list(), unsettled = list();
        const shapes = changed === true ? countedAnew() : changed || list();
        if (!isGlobalIntact)
            putBack(record[0], left);
        else if (shapes[0] === 0)
            tidy(record[0], left);
        if (!areOthersIntact)
            for (let i = 1; i < record.length; i++)
                putIntrinsicBack(i, left, unsettled);
        else
            for (let i = 0; i < shapes.length; i++)
                if (shapes[i] !== 0)
                    putIntrinsicBack(shapes[i], left, unsettled);
        for (let i = 0; i < unsettled.length; i++)
            settle(unsettled[i]);
        if (globalChecks === null) {
            globalChecks = checksOf(0, 1);
            intrinsicChecks = checksOf(1, record.length);
        }
        if (left.length === 0)
            return undefined;
        lately = left;
        const names = list();
        for (let i = 0; i < left.length; i++)
            names[i] = nameOf(left[i]);
        return names;
    };

    // For ssrctl check: until the next restore(), native.noteSet(i) when somebody assigns what was i-th in the last list. What
    // is defined, deleted or can't be configured is not seen.
    native.trap = () => {
        for (let i = 0; i < lately.length; i++) {
            const { target, key } = lately[i], own = propertyOf(target, key);
            if (own !== undefined && !('value' in own && own.configurable))
                continue;
            let value = own?.value;
            defineProperty(target, key, {
                configurable: true, enumerable: own === undefined || own.enumerable,
                get: () => value,
                set(now) {
                    native.noteSet(i);
                    if (this === target || this === undefined)
                        value = now;
                    else
                        defineProperty(this, key, { value: now, writable: true, enumerable: true, configurable: true });
                },
            });
        }
    };
}
