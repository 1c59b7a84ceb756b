// SPDX-License-Identifier: MIT
// The peer of perf/beside and perf/mixed: the same bundle with Node.js and what one would write for a cache, a Map in
// each process.
//
//   node node-cached.mjs BUNDLE PORT [WORKERS]      WORKERS > 0: node:cluster with so many
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { runInThisContext } from 'node:vm';
import process from 'node:process';
import cluster from 'node:cluster';

const [bundle, port, workers] = process.argv.slice(2);

if (Number(workers) > 0 && cluster.isPrimary) {
  for (let i = 0; i < Number(workers); i++) cluster.fork();
} else {
  runInThisContext(readFileSync(bundle, 'utf8'), { filename: bundle });
  const cache = new Map();
  createServer((request, response) => {
    let body = cache.get(request.url);
    if (body === undefined) {
      const result = globalThis.renderPage(request.url, {});
      body = Buffer.from(typeof result === 'string' ? result : result.body);
      if (typeof result === 'string') cache.set(request.url, body);
    }
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-length': body.length });
    response.end(body);
  }).listen(Number(port), '127.0.0.1');
}
