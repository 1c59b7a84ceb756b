// SPDX-License-Identifier: MIT
// The application, the same on both sides.
import { createPinia } from 'pinia';
import { createSSRApp } from 'vue';
import { createRouter } from 'vue-router';
import App from './App.vue';
import Counter from './pages/Counter.vue';
import Home from './pages/Home.vue';
import Hostile from './pages/Hostile.vue';

const routes = [
  { path: '/', component: Home },
  { path: '/counter', component: Counter },
  { path: '/hostile', component: Hostile },
  { path: '/list', component: () => import('./pages/List.vue') },
  { path: '/items/:id(\\d+)', component: () => import('./pages/Item.vue'), props: true },
  { path: '/old/:id', redirect: (to) => ({ path: `/items/${to.params.id}`, query: { from: 'old' } }) },
  { path: '/guarded', component: Home, beforeEnter: () => ({ path: '/', query: { denied: '<1>' } }) },
  { path: '/:rest(.*)*', component: Home, meta: { status: 404 } },
];

export function makeApp(history) {
  const app = createSSRApp(App);
  const pinia = createPinia();
  const router = createRouter({ history, routes });
  app.use(pinia).use(router);
  return { app, pinia, router };
}
