// SPDX-License-Identifier: MIT
// Renders with a bundle in Node.js itself, whose own fetch, streams and URL are what ssrd must equal.
// usage: node render_in_node.mjs BUNDLE script|module < {"env": {…}, "pages": [{path, method, headers, body}, …]}
//        > [{status, headers: [[name, value], …], base64}, …]
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';

const [file, format] = process.argv.slice(2);
const { env, pages } = JSON.parse(readFileSync(0, 'utf8'));
// The answer goes out by descriptor 1; what a bundle prints must not mix with it.
console.log = console.info = console.debug = console.error;
const ctx = { waitUntil() {}, passThroughOnException() {}, data: {} };

// The contracts of README.md, in their order.
async function renderer() {
  const listeners = [];
  globalThis.addEventListener ??= (type, listener) => type === 'fetch' && listeners.push(listener);
  let module = {};
  if (format === 'script') {
    globalThis.require = createRequire(file);
    vm.runInThisContext(readFileSync(file, 'utf8'), { filename: file });
  } else {
    module = await import(pathToFileURL(file));
  }
  const page = globalThis.renderPage ?? module.renderPage;
  if (page) return (url, request) => page(url, {}, request);
  const handler = module.default?.fetch ? module.default : globalThis.default?.fetch ? globalThis.default : { fetch: globalThis.fetchHandler };
  if (handler.fetch) return (_, request) => handler.fetch(request, env, ctx);
  if (listeners.length > 0) {
    return (_, request) => new Promise((respondWith) => listeners[0]({ type: 'fetch', request, respondWith, ...ctx }));
  }
  const other = typeof module.default === 'function' ? module.default : module.render;
  return (url, request) => other(url, {}, request);
}

const render = await renderer();
const answers = [];
for (const { path, ...options } of pages) {
  // Bytes, so that a body brings no content type that the request has not named.
  if (options.body !== undefined) options.body = Buffer.from(options.body);
  let page = await render(path, new Request('http://localhost' + path, options));
  if (typeof page === 'string') page = { body: page };
  // As bytes a string brings no content type of its own.
  const bytes = typeof page.body === 'string' ? Buffer.from(page.body) : page.body;
  const response = page instanceof Response ? page : new Response(bytes, page);
  answers.push({
    status: response.status,
    headers: [...response.headers],
    base64: Buffer.from(await response.arrayBuffer()).toString('base64'),
  });
}
process.stdout.write(JSON.stringify(answers), () => process.exit(0));
