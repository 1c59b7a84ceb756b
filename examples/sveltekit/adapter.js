// SPDX-License-Identifier: MIT
// SvelteKit's adapter for ssrd: SvelteKit's own Server behind `export default { fetch }`, in out/server.js and what it
// imports; what browsers load in out/client. Pages marked `prerender` are rendered by ssrd like the others.
import { writeFileSync } from 'node:fs';

const entry = (manifest) => `import { Server } from './index.js';

const server = new Server(${manifest});
let ready;

export default {
  async fetch(request, env, ctx) {
    await (ready ??= server.init({ env }));
    return server.respond(request, {
      platform: { env, ctx },
      // With http.trusted the last address is the client's, as the proxy saw it.
      getClientAddress: () => request.headers.get('x-forwarded-for')?.split(',').at(-1).trim() ?? '',
    });
  },
};
`;

export default ({ out = 'dist' } = {}) => ({
  name: 'ssrd',
  adapt(builder) {
    builder.rimraf(out);
    builder.writeServer(out);
    builder.writeClient(`${out}/client`);
    writeFileSync(`${out}/server.js`, entry(builder.generateManifest({ relativePath: '.', routes: builder.routes })));
  },
});
