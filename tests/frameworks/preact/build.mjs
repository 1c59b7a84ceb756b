// SPDX-License-Identifier: MIT
import { build } from 'esbuild';

await build({
  entryPoints: ['src/server.jsx'],
  outfile: 'dist/server.cjs',
  bundle: true,
  format: 'iife',
  target: 'es2022',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['worker', 'import', 'module', 'production'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  define: { 'process.env.NODE_ENV': '"production"' },
});
