// SPDX-License-Identifier: MIT
// Library functions of ECMAScript after ES2022 and of its finished proposals, by core-js, where V8 lacks them. Each is an
// accessor until one is asked for; then all of core-js' that we take load, in the places of all. An accessor and not a
// lazy data property, since core-js itself looks whether the name is there.
'use strict';
{
    const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf } = Object;
    const hasOwn = (object, name) => getOwnPropertyDescriptor(object, name) !== undefined;
    const { get } = Reflect;
    const { shield } = native;
    const IteratorPrototype = getPrototypeOf(getPrototypeOf([][Symbol.iterator]()));
    const TypedArrayPrototype = getPrototypeOf(Uint8Array.prototype);
    const table = [
        [Array.prototype, 'findLast findLastIndex toReversed toSorted toSpliced with'],
        [Array, 'fromAsync'],
        [TypedArrayPrototype, 'toReversed toSorted with'],
        [Object, 'groupBy'],
        [Map, 'groupBy'],
        [Promise, 'withResolvers try'],
        [IteratorPrototype, 'drop every filter find flatMap forEach map reduce some take toArray'],
        [String.prototype, 'isWellFormed toWellFormed'],
        [ArrayBuffer.prototype, 'detached transfer transferToFixedLength'],
        [Symbol, 'dispose asyncDispose'],
        [RegExp, 'escape'],
        [Error, 'isError'],
        [Math, 'f16round sumPrecise'],
        [Uint8Array, 'fromBase64 fromHex'],
        [Uint8Array.prototype, 'setFromBase64 setFromHex toBase64 toHex'],
        [globalThis, 'Iterator SuppressedError DisposableStack AsyncDisposableStack'],
    ];
    // A property more on the prototype of Map or Set, and V8 10.2 takes twice the time to make one of either from a list: so only
    // where the bundle's text has one of the names (worker/bundle_load.c).
    const collections = [
        [Map.prototype, 'getOrInsert getOrInsertComputed'],
        [WeakMap.prototype, 'getOrInsert getOrInsertComputed'],
        [Set.prototype, 'difference intersection isDisjointFrom isSubsetOf isSupersetOf symmetricDifference union'],
    ];
    let placed = []; // [target, name, get]
    // For isolation.js: getters of ours, each with the property that stands in its place since all have loaded.
    const getters = new Map();
    const { get: find, has } = Map.prototype, { apply, setPrototypeOf } = Reflect; // renders may have changed any by then
    const later = native.later = {
        isOurs: (getter) => apply(has, getters, [getter]),
        nowOf: (getter) => apply(find, getters, [getter]),
        loads: 0, // how many such there are
        sets: 0, // how often somebody has assigned one
    };
    native.lazyNames['__core-js_shared__'] = true; // core-js' own, which it leaves on the global object

    function load() {
        const ours = placed;
        placed = [];
        const kept = native.laterCollections ? [] : collections.flatMap(([target, names]) => names.split(' ')
            .filter((name) => !hasOwn(target, name)).map((name) => [target, name]));
        const others = []; // what the bundle or a render has set in our place stays there: [target, name, descriptor]
        for (const [target, name, getter] of ours) {
            const now = getOwnPropertyDescriptor(target, name);
            if (now !== undefined && now.get !== getter)
                others.push([target, name, now]);
            delete target[name];
        }
        // core-js puts its own Function.prototype.toString there, to show its functions as native ones.
        const text = getOwnPropertyDescriptor(Function.prototype, 'toString');
        try {
            native.load('npm_later.js');
            for (const [target, name, getter] of ours)
                note(getter, getOwnPropertyDescriptor(target, name));
        } catch (error) { // as it was before
            for (const [target, name, getter] of ours)
                if (!hasOwn(target, name))
                    place(target, name, getter);
            throw error;
        } finally {
            defineProperty(Function.prototype, 'toString', text);
            for (const [target, name, own] of others)
                defineProperty(target, name, own);
            for (const [target, name] of kept)
                delete target[name];
        }
    }
    function note(getter, own) {
        if (own === undefined)
            return;
        setPrototypeOf(own, null);
        getters.set(getter, own);
        later.loads++;
    }
    function place(target, name, getter = undefined) {
        const own = getter ?? {
            get() {
                shield(load);
                return get(target, name, this);
            },
        }.get;
        placed.push([target, name, own]);
        getters.set(own, undefined);
        defineProperty(target, name, {
            configurable: true, enumerable: false, get: own,
            set(value) {
                later.sets++;
                defineProperty(this, name, { value, writable: true, configurable: true, enumerable: this !== target });
            },
        });
    }
    function placeAll(list) {
        for (const [target, names] of list)
            for (const name of names.split(' '))
                if (!hasOwn(target, name))
                    place(target, name);
    }
    // Not before: what V8 calls new it adds to a realm after the snapshot, and we would be in its place.
    native.whenConfigured(() => {
        placeAll(table);
        if (native.laterCollections)
            placeAll(collections);
    });
}
