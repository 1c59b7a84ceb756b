// SPDX-License-Identifier: MIT
// Builds dist/server.js, one classic script that ssrd renders with, and dist/client/client.js, which browsers hydrate
// with, beside it a file for each page that is imported when it is opened. Set OUT to write the script elsewhere, and nothing for browsers.
import { build } from 'esbuild';

const both = {
  bundle: true,
  target: 'es2022',
  jsx: 'automatic',
  minify: true,
  legalComments: 'none',
  define: { 'process.env.NODE_ENV': '"production"' },
};
await build({
  ...both,
  entryPoints: ['src/server.jsx'],
  outfile: process.env.OUT || 'dist/server.js',
  format: 'iife',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  // React's build for edge runtimes asks the least of the engine that runs it: no MessageChannel,
  // no node:* module; AsyncLocalStorage only if it is there.
  conditions: ['workerd', 'worker', 'production'],
});
if (!process.env.OUT) {
  await build({ ...both, entryPoints: ['src/client.jsx'], outdir: 'dist/client', format: 'esm', splitting: true });
}
