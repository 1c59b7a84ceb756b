// SPDX-License-Identifier: MIT
import { Suspense, cache } from 'react';
import { createClientModuleProxy, decodeReply, renderToReadableStream } from 'react-server-dom-webpack/server.edge';
import { hostile, items, later } from '../../shared/data.js';

const { Counter } = createClientModuleProxy('client.js');
const map = { 'client.js#Counter': { id: './client.js', chunks: ['c1', 'c1.js'], name: 'Counter' }, 'client.js': { id: './client.js', chunks: ['c1', 'c1.js'], name: '*' } };
const item = cache((id) => later(items[id - 1]));

async function Item({ id }) {
  const found = await item(id);
  return found ? <h1 title={found.name}>{found.name}</h1> : <h1>none</h1>;
}

async function Late() {
  return <em>{await later('late </script>', 60)}</em>;
}

// For tests/e2e/test_suspense.py, which holds the answer back.
async function Held({ url }) {
  return <em>{await (await fetch(url)).text()}</em>;
}

const pages = {
  '/': () => <Counter start={3} date={new Date(0)} big={10n} map={new Map([['a', new Set([1])]])} text={hostile[0]} />,
  '/hostile': () => hostile.slice(0, 7).map((text) => <p key={text} title={text}>{text}</p>),
  '/list': () => <ul>{items.map((one) => <li key={one.id}>{one.name}</li>)}</ul>,
  '/item': () => <><Item id={3} /><Item id={3} /></>,
  '/waits': () => <Suspense fallback={<i>wait</i>}><Late /></Suspense>,
  '/held': (env) => <Suspense fallback={<i>wait</i>}><Held url={env.API + '/held'} /></Suspense>,
  '/throws': () => <Suspense fallback={<i>wait</i>}><Throws /></Suspense>,
};

function Throws() {
  throw new TypeError('on purpose');
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    let root;
    if (request.method === 'POST') root = await decodeReply(await request.text());
    else root = pages[pathname] ? pages[pathname](env) : <h1>No {pathname}</h1>;
    const stream = renderToReadableStream(root, map, { onError: () => 'digest' });
    return new Response(stream, { status: pages[pathname] ? 200 : 404, headers: { 'content-type': 'text/x-component' } });
  },
};
