// SPDX-License-Identifier: MIT
import adapter from './adapter.js';

// SvelteKit names a build by the time it was made; a name of its own makes equal sources equal files.
export default { kit: { adapter: adapter(), version: { name: process.env.npm_package_version ?? '0' } } };
