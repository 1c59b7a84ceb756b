// SPDX-License-Identifier: MIT
import { cloudflarePagesAdapter } from '@builder.io/qwik-city/adapters/cloudflare-pages/vite';
import { mergeConfig } from 'vite';
import browsers from './vite.config.js';

export default mergeConfig(browsers, {
  build: { ssr: true, target: 'es2022', rollupOptions: { input: ['src/entry.js', '@qwik-city-plan'] } },
  plugins: [cloudflarePagesAdapter({ ssg: { include: [] } })],
});
