// SPDX-License-Identifier: MIT
// bundle.mjs OUT_DIR NAME...: each NAME.js of the working directory, with what it imports, becomes OUT_DIR/npm_NAME.js: the body
// of a function of `native` that returns its exports, as worker/js_lazy.cc loads it. Names are kept:
// people read them in stack traces, and class names are part of the standards.
import { build } from 'esbuild';
import { join } from 'node:path';

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
        logLevel: 'warning',
    });
