// SPDX-License-Identifier: MIT
import { Suspense, createContext, use, useContext, useId, useMemo, useState } from 'react';
import { hostile, items, later } from '../../shared/data.js';
import { Counter } from './counter.jsx';

const Theme = createContext('none');

function Item({ item }) {
  const theme = useContext(Theme);
  return (
    <li id={`item-${item.id}`} data-name={item.name} className={theme} style={{ order: item.id, opacity: 0.5 }}>
      {item.name} costs {item.price.toFixed(2)}
      {item.tags.map((tag) => (
        <b key={tag}>{tag}</b>
      ))}
    </li>
  );
}

function Form() {
  const id = useId();
  const [count] = useState(() => 3);
  const options = useMemo(() => ['x', 'y"'], []);
  return (
    <form action="/?a=1&b=2">
      <label htmlFor={id}>{count}</label>
      <input id={id} defaultValue={hostile[2]} disabled />
      <textarea defaultValue={hostile[1]} />
      <select defaultValue={'y"'}>
        {options.map((o) => (
          <option key={o}>{o}</option>
        ))}
      </select>
    </form>
  );
}

function Late({ promise }) {
  return <em>{use(promise)}</em>;
}

function Hostile() {
  return hostile.map((text, i) => (
    <p key={i} title={text}>
      {text}
      <a href={'/' + encodeURIComponent(text.toWellFormed?.() ?? i)}>{i}</a>
      <span dangerouslySetInnerHTML={{ __html: '<i>raw</i>' }} />
    </p>
  ));
}

function Waits() {
  const slow = later('slow & <late>', 90);
  const quick = later('quick', 30);
  return (
    <main>
      <Suspense fallback={<i>wait</i>}>
        <Late promise={slow} />
        <Suspense fallback={<i>inner</i>}>
          <Late promise={quick} />
        </Suspense>
      </Suspense>
    </main>
  );
}

function Throws() {
  throw new TypeError('on purpose');
}

export function status(path) {
  return pages[path] ? 200 : 404;
}

const pages = {
  '/': () => <Form />,
  '/counter': Counter,
  '/hostile': Hostile,
  '/list': () => (
    <Theme.Provider value="dark">
      <ul>
        {items.map((item) => (
          <Item key={item.id} item={item} />
        ))}
      </ul>
    </Theme.Provider>
  ),
  '/intl': () => (
    <time>
      {new Intl.DateTimeFormat('de-DE', { dateStyle: 'full', timeZone: 'Asia/Tokyo' }).format(0)}
      {new Intl.NumberFormat('fr-FR', { style: 'currency', currency: 'EUR' }).format(1234567.891)}
      {['ä', 'z', 'a'].sort(new Intl.Collator('sv').compare).join()}
    </time>
  ),
  '/waits': Waits,
  '/boundary': () => (
    <Suspense fallback={<i>broken, shown by the browser</i>}>
      <Throws />
    </Suspense>
  ),
};

export function App({ path, query }) {
  const Page = pages[path] ?? (() => <h1>No {path}</h1>);
  return (
    <html lang="en">
      <head>
        <meta charSet="utf-8" />
        <title>{`React ${path}`}</title>
        <link rel="stylesheet" href="/assets/client.css" precedence="default" />
      </head>
      <body data-query={query}>
        <Page query={query} />
      </body>
    </html>
  );
}
