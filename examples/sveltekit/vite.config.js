// SPDX-License-Identifier: MIT
import { sveltekit } from '@sveltejs/kit/vite';

export default { plugins: [sveltekit()], logLevel: 'warn', ssr: { noExternal: true }, build: { target: 'es2022' } };
