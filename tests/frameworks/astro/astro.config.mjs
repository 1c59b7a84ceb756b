// SPDX-License-Identifier: MIT
// An adapter of a few lines: Astro's own App behind a fetch handler (adapter.js).
import { defineConfig } from 'astro/config';

const adapter = {
  name: 'ssrd',
  hooks: {
    'astro:config:setup': ({ updateConfig }) =>
      updateConfig({ vite: { ssr: { noExternal: true, target: 'webworker' }, build: { target: 'es2022', minify: false } } }),
    'astro:config:done': ({ setAdapter }) =>
      setAdapter({
        name: 'ssrd',
        serverEntrypoint: './adapter.js',
        exports: ['default'],
        supportedAstroFeatures: { serverOutput: 'stable', hybridOutput: 'stable', staticOutput: 'stable', sharpImageService: 'unsupported' },
      }),
  },
};

export default defineConfig({
  output: 'server',
  adapter,
  image: { service: { entrypoint: 'astro/assets/services/noop' } },
  session: { driver: 'null' },
  devToolbar: { enabled: false },
});
