// SPDX-License-Identifier: MIT
// Not a standard: the modules that are no files, by their names in Node.js. Each polyfill that has one
// says native.provide('node:async_hooks', () => exports); it is made when first asked for. import
// and require find them with and without "node:". All other names throw an error that names them.
'use strict';
{
    const registry = new Map();
    // Of Node.js 22: https://nodejs.org/api/module.html#modulebuiltinmodules
    const known = new Set(('assert async_hooks buffer child_process cluster console constants crypto dgram ' +
        'diagnostics_channel dns domain events fs http http2 https inspector module net os path perf_hooks process ' +
        'punycode querystring readline repl sea sqlite stream string_decoder sys test timers tls trace_events tty url ' +
        'util v8 vm wasi worker_threads zlib').split(' '));

    native.provide = (name, make) => {
        registry.set(name, { make, exports: undefined });
    };

    const BUNDLE_IT = ': let the build bundle it (Vite: ssr.noExternal: true; esbuild: bundle: true)';
    const refusal = (message) => Object.assign(new Error(message), { code: 'ERR_MODULE_NOT_FOUND' });

    // The exports of a name; importer: for the message, '' for require.
    native.builtin = (specifier, importer) => {
        const bare = specifier.startsWith('node:') ? specifier.slice(5) : specifier;
        const entry = registry.get('node:' + bare) ?? registry.get(specifier);
        if (entry !== undefined) {
            if (entry.make !== null) {
                entry.exports = entry.make();
                entry.make = null;
            }
            return entry.exports;
        }
        const by = importer === '' ? '' : ', imported by ' + importer;
        if (bare !== specifier || known.has(bare.split('/')[0]))
            throw refusal('node:' + bare + ' is not available here' + by);
        if (/^[a-z][a-z\d+.-]*:/i.test(specifier))
            throw refusal(specifier + ' can\'t be imported: only files and node: modules can' + by);
        if (importer === '' && /^[./]/.test(specifier))
            throw refusal('"' + specifier + '" is a file, and require() gives only node: modules here' + BUNDLE_IT);
        throw refusal('"' + specifier + '" is a package, and only files can be imported' + by + BUNDLE_IT);
    };

    native.define('require', (specifier) => native.builtin(String(specifier), ''));
}
