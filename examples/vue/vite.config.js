// SPDX-License-Identifier: MIT
// `vite build` makes what browsers load, `vite build --ssr src/server.js` what ssrd renders with.
import vue from '@vitejs/plugin-vue';

export default ({ isSsrBuild }) => ({
  plugins: [vue()],
  base: '/assets/',
  ssr: { noExternal: true, target: 'webworker' },
  build: isSsrBuild
    ? { target: 'es2022', outDir: 'dist', emptyOutDir: false }
    : {
        outDir: 'dist/client',
        rollupOptions: { input: 'src/client.js', output: { entryFileNames: 'client.js', chunkFileNames: '[name]-[hash].js' } },
      },
});
