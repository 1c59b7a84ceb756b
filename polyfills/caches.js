// SPDX-License-Identifier: MIT
// Service Workers, section 5.4 and 5.5: Cache and CacheStorage, with the `default` that edge platforms add, of which adapters for them
// (Qwik City's, for one) ask whether a page is kept. A stub: nothing is, which a cache may always say. Pages are
// kept by ssrd itself, in front of the bundle.
'use strict';
const { need } = native.idl;
const MAKE = Symbol('make');

class Cache {
    constructor(key) {
        if (key !== MAKE)
            throw new TypeError('Illegal constructor');
    }
    async match(_request, _options = undefined) { need(1, arguments.length, 'Cache.match'); }
    async matchAll() { return []; }
    async add(_request) { need(1, arguments.length, 'Cache.add'); }
    async addAll(_requests) { need(1, arguments.length, 'Cache.addAll'); }
    async put(_request, response) {
        need(2, arguments.length, 'Cache.put');
        // "put" takes the body: who has not cloned it must notice here too
        await response.arrayBuffer();
    }
    async delete(_request, _options = undefined) {
        need(1, arguments.length, 'Cache.delete');
        return false;
    }
    async keys() { return []; }
}
native.tag(Cache, 'Cache');

class CacheStorage {
    #default = new Cache(MAKE);
    constructor(key) {
        if (key !== MAKE)
            throw new TypeError('Illegal constructor');
    }
    get default() { return this.#default; }
    async match(_request, _options = undefined) { need(1, arguments.length, 'CacheStorage.match'); }
    async has(_name) { return false; }
    async open(_name) {
        need(1, arguments.length, 'CacheStorage.open');
        return this.#default;
    }
    async delete(_name) { return false; }
    async keys() { return []; }
}
native.tag(CacheStorage, 'CacheStorage');
return { Cache, CacheStorage, caches: new CacheStorage(MAKE) };
