// SPDX-License-Identifier: MIT
import vue from '@vitejs/plugin-vue';

export default {
  plugins: [vue()],
  logLevel: 'warn',
  ssr: { noExternal: true, target: 'webworker' },
  build: { ssr: 'src/server.js', target: 'es2022', emptyOutDir: true, minify: false },
};
