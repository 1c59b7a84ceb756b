// SPDX-License-Identifier: MIT
// What ssrd calls for each page.
import { render as toHtml } from 'svelte/server';
import App from './App.svelte';
import { load } from './routes.js';

export async function render(url) {
  const { status, data } = load(new URL(url, 'http://localhost').pathname);
  const { head, body } = await toHtml(App, { props: { data } });
  // Inside <script> only "<" could end it.
  const state = JSON.stringify(data).replaceAll('<', '\\u003c');
  return {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body:
      `<!doctype html><html lang="en"><head><meta charset="utf-8">${head}</head>` +
      `<body><div id="app">${body}</div><script>state = ${state}</script>` +
      '<script type="module" src="/assets/client.js"></script></body></html>',
  };
}
