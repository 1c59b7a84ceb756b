// SPDX-License-Identifier: MIT
// A page for each URL, as a back end would send it; `createServer` itself is what tests/e2e/test_gateways.py drives.
import { Deferred, Head, Link, createInertiaApp, usePage } from '@inertiajs/react';
import { renderToString } from 'react-dom/server';
import { hostile, items } from '../../shared/data.js';

function Layout({ children }) {
  const { url, props } = usePage();
  return <main><nav>{url} {props.user?.name}<Link href="/list?x=%22&y">List</Link></nav>{children}</main>;
}
const page = (Component) => Object.assign(Component, { layout: (inner) => <Layout>{inner}</Layout> });
const pages = {
  Home: page(({ text }) => <><Head title={text}><meta name="d" content={text} head-key="d" /></Head><h1>{text}</h1><Deferred data="late" fallback={<i>wait</i>}><b /></Deferred></>),
  Hostile: page(({ texts }) => texts.map((text) => <p key={text} title={text}>{text}</p>)),
  List: page(({ list }) => <ul>{list.map((item) => <li key={item.id}>{item.name}</li>)}</ul>),
  Missing: page(() => <h1>No such page</h1>),
};
const found = {
  '/': ['Home', { text: hostile[0] }],
  '/hostile': ['Hostile', { texts: hostile.slice(0, 7) }],
  '/list': ['List', { list: items }],
};

export async function render(url) {
  const [component, props] = found[url.split('?')[0]] ?? ['Missing', {}];
  const { head, body } = await createInertiaApp({
    page: { component, props: { ...props, errors: {}, user: { name: 'Ünal <&>' } }, url, version: '1', clearHistory: false, encryptHistory: false },
    render: renderToString,
    title: (title) => `${title} - Shop`,
    resolve: (name) => pages[name],
    setup: ({ App, props }) => <App {...props} />,
  });
  return { status: component === 'Missing' ? 404 : 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body: `<!doctype html><head>${head.join('')}</head>${body}` };
}
