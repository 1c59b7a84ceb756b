// SPDX-License-Identifier: MIT
export default defineNuxtRouteMiddleware(() => navigateTo({ path: '/', query: { denied: '<1>' } }, { redirectCode: 302 }));
