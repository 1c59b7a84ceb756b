// SPDX-License-Identifier: MIT
// What browsers load; its list of symbols is what the server's build (vite.server.js) needs.
import { qwikVite } from '@builder.io/qwik/optimizer';
import { qwikCity } from '@builder.io/qwik-city/vite';

export default { plugins: [qwikCity(), qwikVite()], logLevel: 'warn', build: { minify: false } };
