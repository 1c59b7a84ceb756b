// SPDX-License-Identifier: MIT
import { createSSRApp } from 'vue';
import { renderToString, renderToWebStream } from 'vue/server-renderer';
import { createPinia } from 'pinia';
import { createMemoryHistory, createRouter } from 'vue-router';
import App from './App.vue';
import Home from './pages/Home.vue';
import Hostile from './pages/Hostile.vue';

const routes = [
  { path: '/', component: Home },
  { path: '/hostile', component: Hostile },
  { path: '/list', component: () => import('./pages/List.vue') },
  { path: '/items/:id(\\d+)', component: () => import('./pages/Item.vue'), props: true },
  { path: '/old/:id', redirect: (to) => ({ path: `/items/${to.params.id}`, query: { from: 'old' } }) },
  { path: '/guarded', component: Home, beforeEnter: () => ({ path: '/', query: { denied: '<1>' } }) },
  { path: '/:rest(.*)*', component: Home, meta: { status: 404 } },
];

export async function render(url) {
  const app = createSSRApp(App);
  const pinia = createPinia();
  const router = createRouter({ history: createMemoryHistory(), routes });
  app.use(pinia).use(router);
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
    body: `<!doctype html><title>Vue</title><div id="app">${html}</div>${context.teleports?.['#side'] ?? ''}<script>state=${state}</script>`,
  };
}
