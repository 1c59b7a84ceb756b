// SPDX-License-Identifier: MIT
// Builds the application into one classic script. Set OUT to write it elsewhere than dist/.
import { build } from 'esbuild';

await build({
  entryPoints: ['src/server.jsx'],
  outfile: process.env.OUT || 'dist/server.js',
  bundle: true,
  format: 'iife',
  target: 'es2022',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  // React's build for edge runtimes asks the least of the engine that runs it: no MessageChannel,
  // no node:* module; AsyncLocalStorage only if it is there.
  conditions: ['workerd', 'worker', 'production'],
  jsx: 'automatic',
  minify: true,
  legalComments: 'none',
  define: { 'process.env.NODE_ENV': '"production"' },
});
