// SPDX-License-Identifier: MIT
// The application, the same on both sides; each side brings its own history.
import { createPinia } from 'pinia';
import { createSSRApp } from 'vue';
import { createRouter } from 'vue-router';
import App from './App.vue';
import Missing from './pages/Missing.vue';
import Product from './pages/Product.vue';
import Start from './pages/Start.vue';

const routes = [
  { path: '/', component: Start },
  { path: '/products/:id(\\d+)', component: Product, props: true },
  { path: '/vouchers', component: () => import('./pages/Vouchers.vue') }, // few visit it: a chunk of its own
  { path: '/gifts', redirect: '/vouchers' }, // what the page was called once
  { path: '/:rest(.*)*', component: Missing, meta: { status: 404 } },
];

export function makeApp(history) {
  const app = createSSRApp(App);
  const pinia = createPinia();
  const router = createRouter({ history, routes });
  app.use(pinia).use(router);
  return { app, pinia, router };
}
