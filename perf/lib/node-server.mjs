// SPDX-License-Identifier: MIT
// The peer: what one would write to serve the same bundle with Node.js alone. No cache, no framework.
//
//   node node-server.mjs BUNDLE PORT [WORKERS]      WORKERS > 0: node:cluster with so many
//   node node-server.mjs BUNDLE --time URL N        no server: microseconds of a render, V8 alone
//
// Under Deno and Bun it uses their own servers, which are faster than what they offer as node:http.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { runInThisContext } from 'node:vm';
import process from 'node:process';
import cluster from 'node:cluster';

const [bundle, port, ...rest] = process.argv.slice(2);

function load() {
  runInThisContext(readFileSync(bundle, 'utf8'), { filename: bundle });
}

// renderPage() returns a string or { status, headers, body }.
async function page(url) {
  const result = await globalThis.renderPage(url, {});
  return typeof result === 'string' ? { body: result } : result;
}

const HTML = { 'content-type': 'text/html; charset=utf-8' };

function serveNode() {
  createServer((request, response) => {
    page(request.url).then(
      ({ status = 200, headers = HTML, body }) => {
        response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
        response.end(body);
      },
      (error) => {
        console.error(error);
        response.writeHead(500).end();
      },
    );
  }).listen(Number(port), '127.0.0.1');
}

async function answer(request) {
  const at = request.url.indexOf('/', 8); // past "http://"
  const { status = 200, headers = HTML, body } = await page(request.url.slice(at));
  return new Response(body, { status, headers });
}

function serve() {
  const options = { port: Number(port), hostname: '127.0.0.1' };
  if (globalThis.Bun) globalThis.Bun.serve({ ...options, fetch: answer });
  else if (globalThis.Deno) globalThis.Deno.serve({ ...options, onListen() {} }, answer);
  else serveNode();
}

async function time(url, count) {
  for (let i = 0; i < 3000; i++) await page(url + i);
  const start = process.hrtime.bigint();
  for (let i = 0; i < count; i++) await page(url + i);
  console.log(Number(process.hrtime.bigint() - start) / 1000 / count);
}

if (port === '--time') {
  load();
  await time(rest[0], Number(rest[1]));
} else if (rest.length > 0 && Number(rest[0]) > 0 && cluster.isPrimary) {
  for (let i = 0; i < Number(rest[0]); i++) cluster.fork();
} else {
  load();
  serve();
}
