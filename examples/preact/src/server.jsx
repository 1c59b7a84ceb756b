// SPDX-License-Identifier: MIT
// What ssrd calls for each page.
import prerender, { locationStub } from 'preact-iso/prerender';
import { App } from './app.jsx';
import { products } from './products.js';

const known = new Set(['/', ...products.map(({ id }) => `/products/${id}`)]);

export async function renderPage(url) {
  locationStub(url);
  const { html } = await prerender(<App />);
  return {
    status: known.has(globalThis.location.pathname) ? 200 : 404,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body:
      '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Fern &amp; Co.</title></head>' +
      `<body><div id="app">${html}</div><script type="module" src="/assets/client.js"></script></body></html>`,
  };
}
