// SPDX-License-Identifier: MIT
// A fetch handler that streams: what waits for data (Suspense) comes when it is there.
import { generateHydrationScript, renderToStream } from 'solid-js/web';
import { App, status } from './app.jsx';

const head =
  '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Fern &amp; Co.</title>' +
  `${generateHydrationScript()}<script type="module" src="/assets/client.js"></script></head><body><div id="app">`;

// Solid writes what is in #app, then the scripts that fill it in; its end closes the document.
function page(path) {
  const encoder = new TextEncoder();
  const { readable, writable } = new TransformStream({
    start: (stream) => stream.enqueue(encoder.encode(head)),
    flush: (stream) => stream.enqueue(encoder.encode('</div></body></html>')),
  });
  renderToStream(() => <App path={path} />).pipeTo(writable);
  return readable;
}

export default {
  fetch(request) {
    const { pathname } = new URL(request.url);
    return new Response(page(pathname), { status: status(pathname), headers: { 'content-type': 'text/html; charset=utf-8' } });
  },
};
