// SPDX-License-Identifier: MIT
// Builds dist/server.js, which ssrd renders with, and dist/client, which browsers load.
import { build } from 'esbuild';

const both = {
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  jsx: 'automatic',
  jsxImportSource: 'preact',
  define: { 'process.env.NODE_ENV': '"production"' },
};
await build({
  ...both,
  entryPoints: ['src/server.jsx'],
  outfile: 'dist/server.js',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['worker', 'import', 'module', 'production'],
});
await build({ ...both, entryPoints: { client: 'src/client.jsx' }, outdir: 'dist/client', splitting: true });
