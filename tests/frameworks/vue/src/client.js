// SPDX-License-Identifier: MIT
import { createWebHistory } from 'vue-router';
import { makeApp } from './app.js';

const { app, pinia, router } = makeApp(createWebHistory());
pinia.state.value = globalThis.state;
// the plugin has begun the first navigation when the router was installed
await router.isReady();
app.mount('#app');
