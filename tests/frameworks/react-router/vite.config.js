// SPDX-License-Identifier: MIT
import { reactRouter } from '@react-router/dev/vite';

export default ({ isSsrBuild }) => ({
  plugins: [reactRouter()],
  logLevel: 'warn',
  ssr: { noExternal: true, target: 'webworker', resolve: { conditions: ['worker', 'import', 'module', 'production'] } },
  build: { target: 'es2022', rollupOptions: isSsrBuild ? { input: './app/server.js' } : {} },
});
