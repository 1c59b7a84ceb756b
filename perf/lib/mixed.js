// SPDX-License-Identifier: MIT
// Pages of a known amount of work, for perf/beside and perf/mixed: /work?i=N&… computes N rounds and is never stored,
// everything else is 8 kB and stored. Classic script; perf/lib/node-cached.mjs serves the same with Node.js.
const page = '<!doctype html><p>' + 'lorem ipsum dolor sit amet '.repeat(300);

function work(rounds) {
  let x = 1;
  for (let i = 0; i < rounds; i++) x = (x * 48271) % 2147483647;
  return x;
}

globalThis.renderPage = (url) => {
  if (!url.startsWith('/work')) return page;
  const rounds = Number(/[?&]i=(\d+)/.exec(url)?.[1] ?? 1000);
  return { body: '<p>' + work(rounds), headers: { 'content-type': 'text/html; charset=utf-8' }, cache: { ttl: 0 } };
};
