// SPDX-License-Identifier: MIT
export default defineNuxtConfig({
  compatibilityDate: '2026-01-01',
  telemetry: false,
  sourcemap: false,
  // A build's random name would be in every page.
  buildId: 'proof',
  nitro: { preset: 'cloudflare-module', minify: false },
  app: { head: { htmlAttrs: { lang: 'en' } } },
});
