// SPDX-License-Identifier: MIT
// `vite build` makes what browsers load, `vite build --ssr src/server.jsx` what ssrd renders with.
import solid from 'vite-plugin-solid';

export default ({ isSsrBuild }) => ({
  plugins: [solid({ ssr: true })],
  base: '/assets/',
  logLevel: 'warn',
  ssr: { noExternal: true, target: 'webworker', resolve: { conditions: ['worker', 'import', 'module', 'production'] } },
  build: isSsrBuild
    ? { target: 'es2022', outDir: 'dist', emptyOutDir: false }
    : {
        outDir: 'dist/client',
        rollupOptions: { input: 'src/client.jsx', output: { entryFileNames: 'client.js' } },
      },
});
