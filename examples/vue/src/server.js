// SPDX-License-Identifier: MIT
// What ssrd calls for each page.
import { createMemoryHistory } from 'vue-router';
import { renderToString } from 'vue/server-renderer';
import { makeApp } from './app.js';

export async function render(url) {
  const { app, pinia, router } = makeApp(createMemoryHistory());
  await router.push(url);
  await router.isReady();
  const { redirectedFrom, fullPath } = router.currentRoute.value;
  if (redirectedFrom) return { status: 301, headers: { location: fullPath }, body: '' };
  const html = await renderToString(app);
  // Inside <script> only "<" could end it.
  const state = JSON.stringify(pinia.state.value).replaceAll('<', '\\u003c');
  return {
    status: router.currentRoute.value.meta.status ?? 200,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body:
      '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Fern &amp; Co.</title></head>' +
      `<body><div id="app">${html}</div><script>state = ${state}</script>` +
      '<script type="module" src="/assets/client.js"></script></body></html>',
  };
}
