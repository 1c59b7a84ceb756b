// SPDX-License-Identifier: MIT
import { createWebHistory } from 'vue-router';
import { makeApp } from './app.js';

const { app, pinia, router } = makeApp(createWebHistory());
pinia.state.value = globalThis.state;
router.isReady().then(() => app.mount('#app'));
