// SPDX-License-Identifier: MIT
// The Flight endpoint alone, built with the condition react-server: what a client asks for and decodes.
import { build } from 'esbuild';

await build({
  entryPoints: ['src/server.jsx'],
  outfile: 'dist/server.mjs',
  bundle: true,
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['react-server', 'workerd', 'worker', 'import', 'production'],
  external: ['node:*', 'async_hooks'],
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"' },
});
