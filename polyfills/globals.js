// SPDX-License-Identifier: MIT
// The names of the global object itself (HTML, section 10.3), and native.define() for all others: every
// global is writable and configurable, because libraries set their own.
'use strict';
// What they were is on native.own: these files use it, for a bundle may replace any of them (Angular's server replaces Event).
native.own = { __proto__: null };
native.define = (name, value) => {
    native.own[name] = value;
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
};
// What depends on options runs when they are known: after all files here, which may come out of a snapshot.
{
    const jobs = [];
    native.whenConfigured = (job) => {
        jobs.push(job);
    };
    native.configured = () => {
        for (const job of jobs.splice(0))
            job();
    };
}
// What polyfills keep for renders beside the properties of objects: isolation.js calls keep() when the bundle has loaded and
// back() when renders are over.
native.kept = [];
native.tag = (constructor, name) => Object.defineProperty(constructor.prototype, Symbol.toStringTag,
    { value: name, configurable: true });

native.define('self', globalThis);
native.define('global', globalThis); // of Node.js, which bundles for it take for granted

// HTML, section 10.3.3, "NavigatorID": enough for libraries that ask where they are.
class Navigator {
    get userAgent() { return 'ssrd'; }
}
native.tag(Navigator, 'Navigator');
native.define('navigator', new Navigator());
