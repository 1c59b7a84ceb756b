// SPDX-License-Identifier: MIT
// `vite build` makes what browsers load, `vite build --ssr src/server.js` what ssrd renders with.
import { svelte } from '@sveltejs/vite-plugin-svelte';

export default ({ isSsrBuild }) => ({
  plugins: [svelte()],
  base: '/assets/',
  logLevel: 'warn',
  ssr: { noExternal: true },
  build: isSsrBuild
    ? { target: 'es2022', outDir: 'dist', emptyOutDir: false }
    : {
        outDir: 'dist/client',
        rollupOptions: { input: 'src/client.js', output: { entryFileNames: 'client.js' } },
      },
});
