// SPDX-License-Identifier: MIT
// Marko's linked mode: the server's build first, which tells the browser's what to load.
import marko from '@marko/vite';

const build = { target: 'es2022', emptyOutDir: false, minify: false };

export default {
  plugins: [marko()],
  logLevel: 'warn',
  ssr: { target: 'webworker' },
  environments: {
    ssr: {
      resolve: { noExternal: true, conditions: ['worker', 'import', 'module', 'production'] },
      build: { ...build, outDir: 'dist', rollupOptions: { input: 'src/server.js' } },
    },
    client: { build: { ...build, outDir: 'dist/client' } },
  },
};
