// SPDX-License-Identifier: MIT
// The page of a URL, the same on both sides: { status, document, cache }.
import { catalogue } from './catalogue.js';
import { Document } from './layout.jsx';
import { route } from './routes.jsx';
import { parseUrl } from './url.js';

export function pageOf(url, data) {
  const { path, query } = parseUrl(url);
  const { status, title, content, cache } = route(path, { products: catalogue, ...data, path, query });
  const document = (
    <Document title={title} data={data} path={path}>
      {content}
    </Document>
  );
  return { status, document, cache };
}
