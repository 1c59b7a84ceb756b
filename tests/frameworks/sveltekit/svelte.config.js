// SPDX-License-Identifier: MIT
// An adapter of a few lines: SvelteKit's own Server, from many files, behind a fetch handler.
import { writeFileSync } from 'node:fs';

const adapter = {
  name: 'ssrd',
  async adapt(builder) {
    builder.rimraf('dist');
    builder.writeServer('dist');
    builder.writeClient('dist/client');
    writeFileSync(
      'dist/server.mjs',
      `import { Server } from './index.js';
const server = new Server(${builder.generateManifest({ relativePath: '.' })});
const ready = server.init({ env: {} });
export default {
  async fetch(request) {
    await ready;
    return server.respond(request, { getClientAddress: () => '127.0.0.1' });
  },
};
`,
    );
  },
};

export default { kit: { adapter, version: { name: 'proof' } } };
