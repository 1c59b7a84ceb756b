// SPDX-License-Identifier: MIT
export default {
  generateBuildId: () => 'proof',
  // The folder above holds what all applications share.
  outputFileTracingRoot: new URL('..', import.meta.url).pathname,
};
