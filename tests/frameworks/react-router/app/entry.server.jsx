// SPDX-License-Identifier: MIT
import { ServerRouter } from 'react-router';
import { renderToReadableStream } from 'react-dom/server.edge';

export default async function handle(request, status, headers, context) {
  const body = await renderToReadableStream(<ServerRouter context={context} url={request.url} />, { onError() {} });
  // A long page is waited for: whether React flushes before or after its last part is ready is not the renderer's to say.
  if (!new URL(request.url).searchParams.has('stream')) await body.allReady;
  headers.set('Content-Type', 'text/html');
  return new Response(body, { headers, status });
}
