// SPDX-License-Identifier: MIT
import { render as toHtml } from 'svelte/server';
import App from './App.svelte';

const known = ['/', '/hostile', '/list', '/waits'];

export async function render(url) {
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  const { head, body } = await toHtml(App, { props: { path: pathname, query: [...searchParams] } });
  return {
    status: known.includes(pathname) ? 200 : 404,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: `<!doctype html><head>${head}</head><body>${body}</body>`,
  };
}
