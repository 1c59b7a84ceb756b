// SPDX-License-Identifier: MIT
// What ssrd calls for each page. A string is a 200; other statuses come as an object.
import { renderToString } from 'react-dom/server';
import { pageOf } from './app.jsx';

globalThis.renderPage = function renderPage(url, data, request) {
  const page = pageOf(url, data);
  const html = '<!doctype html>' + renderToString(page.document);

  if (page.status === 200 && page.cache === undefined) return html;
  return {
    status: page.status,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: html,
    cache: page.cache,
  };
};
