// SPDX-License-Identifier: MIT
import { renderToString, renderToWebStream } from 'vue/server-renderer';
import { createMemoryHistory } from 'vue-router';
import { makeApp } from './app.js';

export async function render(url) {
  const { app, pinia, router } = makeApp(createMemoryHistory());
  await router.push(url);
  await router.isReady();
  const { fullPath, meta } = router.currentRoute.value;
  if (router.currentRoute.value.redirectedFrom) return { status: 302, headers: { location: fullPath }, body: '' };
  const context = {};
  if (url.endsWith('?stream')) {
    return new Response(renderToWebStream(app, context), { headers: { 'content-type': 'text/html; charset=utf-8' } });
  }
  const html = await renderToString(app, context);
  const state = JSON.stringify(pinia.state.value).replaceAll('<', '\\u003c');
  return {
    status: meta.status ?? 200,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: `<!doctype html><title>Vue</title><div id="app">${html}</div>${context.teleports?.['#side'] ?? ''}<script>state=${state}</script><script type="module" src="/assets/client.js"></script>`,
  };
}
