// SPDX-License-Identifier: MIT
// Next.js writes an edge page as a list of plain scripts that fill _ENTRIES: all of them in one, and a fetch handler that calls
// the entry of a path as Next.js' own sandbox does.
import { readFileSync, writeFileSync, mkdirSync } from 'node:fs';

const read = (file) => readFileSync('.next/' + file, 'utf8');
const functions = Object.values(JSON.parse(read('server/middleware-manifest.json')).functions);
const files = [...new Set(functions.flatMap((page) => page.files))];
// Keys that a build draws are of no use to pages that set no draft mode and have no actions.
const env = { ...functions[0].env, __NEXT_BUILD_ID: 'proof' };
const routes = functions.map(({ name, page, matchers }) => [name, page, matchers[0].regexp]);

mkdirSync('dist', { recursive: true });
writeFileSync(
  'dist/server.cjs',
  `globalThis.self ??= globalThis; // Node.js has neither
globalThis.AsyncLocalStorage ??= require('node:async_hooks').AsyncLocalStorage;
Object.assign((globalThis.process ??= { env: {} }).env, ${JSON.stringify(env)}, { NEXT_RUNTIME: 'edge' });
globalThis._ENTRIES = {};
${files.map(read).join('\n;\n')}
;(() => {
  const entries = globalThis._ENTRIES;
  const routes = ${JSON.stringify(routes)}.map(([name, page, matcher]) => ({ name, page, matcher: new RegExp(matcher) }));
  async function fetch(request) {
    const { pathname } = new URL(request.url);
    for (const { name, page, matcher } of routes) {
      const found = matcher.exec(pathname);
      if (!found) continue;
      const entry = await entries['middleware_' + name];
      const { response, waitUntil } = await entry.default({
        page,
        request: {
          url: request.url,
          method: request.method,
          headers: Object.fromEntries(request.headers),
          body: request.body && (await request.arrayBuffer()), // whole: a stream would want "duplex", which Next.js does not set
          signal: request.signal,
          nextConfig: { basePath: '', i18n: null, trailingSlash: false },
          page: { name: page, params: { ...found.groups } },
          waitUntil() {},
        },
      });
      return response;
    }
    return new Response('No such page', { status: 404 });
  }
  globalThis.fetchHandler = fetch;
})();
`,
);
