// SPDX-License-Identifier: MIT
// What browsers load.
import vue from '@vitejs/plugin-vue';

export default {
  plugins: [vue()],
  base: '/assets/',
  logLevel: 'warn',
  build: {
    outDir: 'dist/client',
    target: 'es2022',
    rollupOptions: { input: 'src/client.js', output: { entryFileNames: 'client.js', chunkFileNames: '[name].js', assetFileNames: '[name][extname]' } },
  },
};
