// SPDX-License-Identifier: MIT
import { build } from 'esbuild';

await build({
  entryPoints: ['src/server.js'],
  outfile: 'dist/server.mjs',
  bundle: true,
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['node', 'import', 'module', 'production'],
  external: ['node:*', 'stream', 'fs', 'path', 'url', 'vm', 'module', 'util', 'buffer'],
});
