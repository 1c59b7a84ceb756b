// SPDX-License-Identifier: MIT
// A stream as it comes; whole (as a bot gets it) with ?whole.
import { renderToReadableStream } from 'react-dom/server';
import { App, status } from './app.jsx';

export default {
  async fetch(request) {
    const { pathname, search } = new URL(request.url);
    const stream = await renderToReadableStream(<App path={pathname} query={search} />, {
      bootstrapModules: ['/assets/client.js'],
      bootstrapScriptContent: 'window.data = "</script>"',
      onError() {},
    });
    if (search === '?whole') await stream.allReady;
    return new Response(stream, {
      status: status(pathname),
      headers: { 'content-type': 'text/html; charset=utf-8', 'x-framework': 'react' },
    });
  },
};
