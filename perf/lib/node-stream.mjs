// SPDX-License-Identifier: MIT
// The peer of perf/first_byte: a fetch handler's stream, served as one would with the engine alone.
//
//   node node-stream.mjs BUNDLE.mjs PORT
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import process from 'node:process';

const [bundle, port] = process.argv.slice(2);
const { default: app } = await import(pathToFileURL(bundle).href);
const ctx = { waitUntil() {} };

function serveNode() {
  createServer(async (request, response) => {
    const answer = await app.fetch(new Request(`http://${request.headers.host}${request.url}`, { headers: request.headers }), {}, ctx);
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    Readable.fromWeb(answer.body).pipe(response);
  }).listen(Number(port), '127.0.0.1');
}

const options = { port: Number(port), hostname: '127.0.0.1' };
if (globalThis.Bun) globalThis.Bun.serve({ ...options, fetch: (request) => app.fetch(request, {}, ctx) });
else if (globalThis.Deno) globalThis.Deno.serve({ ...options, onListen() {} }, (request) => app.fetch(request, {}, ctx));
else serveNode();
