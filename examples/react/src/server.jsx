// SPDX-License-Identifier: MIT
// What ssrd calls for each page. A string is a 200; other statuses come as an object.
import { renderToString } from 'react-dom/server';
import { parseUrl } from './url.js';
import { route } from './routes.jsx';
import { Document } from './layout.jsx';
import { catalogue } from './catalogue.js';

globalThis.renderPage = function renderPage(url, data, request) {
  const { path, query } = parseUrl(url);
  const props = { products: catalogue, ...data, path, query };
  const page = route(path, props);
  const html =
    '<!doctype html>' +
    renderToString(
      <Document title={page.title} user={data?.user} path={path}>
        {page.content}
      </Document>,
    );

  if (page.status === 200 && page.cache === undefined) return html;
  return {
    status: page.status,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: html,
    cache: page.cache,
  };
};
