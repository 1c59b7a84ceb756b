// SPDX-License-Identifier: MIT
import { generateHydrationScript, renderToStream, renderToString, renderToStringAsync } from 'solid-js/web';
import { App, status } from './app.jsx';

const headers = { 'content-type': 'text/html; charset=utf-8' };
const start = `<!doctype html><head>${generateHydrationScript()}</head>`;

function streamed(app) {
  const { readable, writable } = new TransformStream();
  renderToStream(app).pipeTo(writable);
  return new Response(readable, { headers });
}

export default {
  async fetch(request) {
    const { pathname, search } = new URL(request.url);
    const app = () => <App path={pathname} query={search} />;
    if (search === '?stream') return streamed(app);
    const html = search === '?async' ? await renderToStringAsync(app) : renderToString(app);
    return new Response(start + html, { status: status(pathname), headers });
  },
};
