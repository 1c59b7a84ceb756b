// SPDX-License-Identifier: MIT
import { tanstackStart } from '@tanstack/react-start/plugin/vite';
import react from '@vitejs/plugin-react';

export default {
  plugins: [tanstackStart(), react()],
  logLevel: 'warn',
  environments: {
    ssr: { resolve: { noExternal: true, conditions: ['workerd', 'worker', 'import', 'module', 'production'] }, build: { target: 'es2022', minify: false } },
  },
};
