// SPDX-License-Identifier: MIT
// bundle.mjs OUT_DIR NAME...: each NAME.js of the working directory, with what it imports, becomes OUT_DIR/npm_NAME.js: the body
// of a function of `native` that returns its exports, as worker/js_lazy.cc loads it. Names are kept:
// people read them in stack traces, and class names are part of the standards.
import { build } from 'esbuild';
import { join } from 'node:path';

// What a package requires of Node.js is the engine's own where it has it, as the bundle is loaded: one Buffer, one
// EventEmitter for all. ("buffer/" and the like, with a slash, are the npm packages themselves.)
const ours = {
    'abort-controller': 'native.own',
    'buffer': "native.load('buffer.js')",
    'events': "native.load('node_events.js')",
    'process/': 'process',
};
// So are globals that they use when they run, which a bundle may have replaced by then.
const define = Object.fromEntries(['AbortController', 'AbortSignal', 'DOMException', 'URLSearchParams'].flatMap((name) =>
    [name, 'globalThis.' + name].map((use) => [use, 'native.own.' + name])));
const engine = {
    name: 'engine',
    setup(build) {
        build.onResolve({ filter: /^(abort-controller|buffer|events|process\/)$/ }, ({ path }) => ({ path, namespace: 'engine' }));
        build.onLoad({ filter: /./, namespace: 'engine' }, ({ path }) => ({ contents: `module.exports = ${ours[path]};` }));
    },
};

const [out, ...names] = process.argv.slice(2);
for (const name of names)
    await build({
        entryPoints: [join(process.cwd(), name + '.js')],
        outfile: join(out, 'npm_' + name + '.js'),
        bundle: true,
        format: 'iife',
        globalName: 'exported',
        footer: { js: 'return exported;' },
        target: 'es2022',
        platform: 'neutral',
        mainFields: ['module', 'main'],
        conditions: ['import', 'module', 'production'],
        charset: 'ascii',
        minifyWhitespace: true,
        minifySyntax: true,
        legalComments: 'inline',
        define: name === 'later' ? {} : define,
        plugins: name === 'stream' ? [engine] : [],
        logLevel: 'warning',
    });
