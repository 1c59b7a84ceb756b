// SPDX-License-Identifier: MIT
import { build } from 'esbuild';

await build({
  entryPoints: ['src/server.jsx'],
  outfile: 'dist/server.mjs',
  bundle: true,
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['worker', 'import', 'module', 'production'],
  external: ['node:*'],
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"', 'import.meta.env.SSR': 'true' },
});
