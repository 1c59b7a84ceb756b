// SPDX-License-Identifier: MIT
import { build } from 'esbuild';

await build({
  entryPoints: ['src/server.jsx'],
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['worker', 'import', 'module', 'production'],
  jsx: 'automatic',
  jsxImportSource: 'hono/jsx',
});
