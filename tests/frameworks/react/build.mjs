// SPDX-License-Identifier: MIT
// What browsers load, and three bundles: a string from a script; a stream, by React's general and its edge build, from ES modules.
import { build } from 'esbuild';
import { writeFileSync } from 'node:fs';

const bundle = (entry, outfile, format, conditions) =>
  build({
    entryPoints: [`src/${entry}.jsx`],
    outfile: `dist/${outfile}`,
    bundle: true,
    format,
    target: 'es2022',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: [...conditions, 'production'],
    jsx: 'automatic',
    minify: true,
    define: { 'process.env.NODE_ENV': '"production"' },
  });

await bundle('string', 'string.cjs', 'iife', ['browser']);
await bundle('stream', 'stream.mjs', 'esm', ['browser']);
await bundle('stream', 'edge.mjs', 'esm', ['workerd', 'worker']);
await bundle('suspense', 'suspense.mjs', 'esm', ['browser']);
await bundle('client', 'client/client.js', 'esm', ['browser']);
writeFileSync('dist/client/client.css', 'main { color: #223 }\n');
