// SPDX-License-Identifier: MIT
// node readable.mjs FOLDER OUT: builds the example as its own build.mjs does, but without minifying, so that a
// profile shows the names that its authors gave.
import { build } from 'esbuild';
import process from 'node:process';

const [folder, outfile] = process.argv.slice(2);

await build({
  absWorkingDir: folder,
  entryPoints: ['src/server.jsx'],
  outfile,
  bundle: true,
  format: 'iife',
  target: 'es2022',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['workerd', 'worker', 'production'],
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"' },
});
