// SPDX-License-Identifier: MIT
export { URLPattern } from 'urlpattern-polyfill/urlpattern';
