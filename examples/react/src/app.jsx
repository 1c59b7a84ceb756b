// SPDX-License-Identifier: MIT
// The page of a URL, the same on both sides: { status, document, cache, streams }, or { status, location }.
import { catalogue } from './catalogue.js';
import { Document } from './layout.jsx';
import { route } from './routes.jsx';
import { parseUrl } from './url.js';

export function pageOf(url, data) {
  const { path, query } = parseUrl(url);
  const page = route(path, { products: catalogue, ...data, path, query });
  if (page.location) return page;
  const { status, title, content, cache, streams } = page;
  const document = (
    <Document title={title} data={data} path={path}>
      {content}
    </Document>
  );
  return { status, document, cache, streams };
}
