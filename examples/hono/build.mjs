// SPDX-License-Identifier: MIT
// Builds the application into ES modules: dist/server.js and what it imports, with source maps. Set OUT to write them
// elsewhere than dist/.
import { build } from 'esbuild';

await build({
  entryPoints: ['src/server.jsx'],
  outdir: process.env.OUT || 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['worker', 'import', 'module', 'production'],
  jsx: 'automatic',
  jsxImportSource: 'hono/jsx',
  minify: true,
  sourcemap: true,
});
