// SPDX-License-Identifier: MIT
// What ssrd calls for each page. A string is a 200; other statuses come as an object, and so do streams.
import { renderToReadableStream, renderToString } from 'react-dom/server';
import { pageOf } from './app.jsx';

async function stream({ status, document, cache }) {
  return {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: await renderToReadableStream(document),
    cache,
  };
}

globalThis.renderPage = function renderPage(url, data, request) {
  const page = pageOf(url, data);
  if (page.location) return { status: page.status, headers: { location: page.location }, body: '' };
  if (page.streams) return stream(page); // renderToString() does not wait for what loads late
  const html = '<!doctype html>' + renderToString(page.document);

  if (page.status === 200 && page.cache === undefined) return html;
  return {
    status: page.status,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: html,
    cache: page.cache,
  };
};
