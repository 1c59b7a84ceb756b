// SPDX-License-Identifier: MIT
import { renderToString } from 'react-dom/server';
import { App, status } from './app.jsx';

globalThis.renderPage = (url) => {
  const [path, query] = url.split('?');
  return {
    status: status(path),
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: '<!doctype html>' + renderToString(<App path={path} query={query} />),
  };
};
