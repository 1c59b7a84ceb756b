// SPDX-License-Identifier: MIT
import { svelte } from '@sveltejs/vite-plugin-svelte';

export default {
  plugins: [svelte()],
  logLevel: 'warn',
  ssr: { noExternal: true },
  build: { ssr: 'src/server.js', target: 'es2022', emptyOutDir: true, minify: false },
};
