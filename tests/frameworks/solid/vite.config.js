// SPDX-License-Identifier: MIT
import solid from 'vite-plugin-solid';

export default {
  plugins: [solid({ ssr: true })],
  logLevel: 'warn',
  ssr: { noExternal: true, target: 'webworker', resolve: { conditions: ['worker', 'import', 'module', 'production'] } },
  build: { ssr: 'src/server.jsx', target: 'es2022', emptyOutDir: true, minify: false },
};
