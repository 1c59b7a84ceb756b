// SPDX-License-Identifier: MIT
// A page whose shell is there at once, and a part of it when the back end has answered. Not compared with
// Node.js's: tests/e2e/test_suspense.py and perf/first_byte ask when what of it goes out.
import { Suspense, use } from 'react';
import { renderToReadableStream } from 'react-dom/server';

// Without a back end it comes by a timer.
const later = () => new Promise((done) => setTimeout(done, 2, 'late'));
const load = async (api, path) => (api ? (await fetch(api + path)).text() : later());

function Slow({ promise }) {
  return <em>{use(promise)}</em>;
}

function Page({ path, slow }) {
  return (
    <html lang="en">
      <head>
        <title>{path}</title>
      </head>
      <body>
        <h1>The shell</h1>
        <Suspense fallback={<i>wait</i>}>
          <Slow promise={slow} />
        </Suspense>
      </body>
    </html>
  );
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const stream = await renderToReadableStream(<Page path={pathname} slow={load(env.API, pathname)} />);
    return new Response(stream, {
      headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': env.CONTROL ?? 'max-age=60' },
    });
  },
};
