// SPDX-License-Identifier: MIT
import { createContext } from 'preact';
import { lazy, LocationProvider, Router, Route, useLocation } from 'preact-iso';
import prerender from 'preact-iso/prerender';
import { useContext, useId, useMemo, useState } from 'preact/hooks';
import renderToString from 'preact-render-to-string';
import { hostile, items, later } from '../../shared/data.js';

const Unit = createContext('none');

function Home() {
  const id = useId();
  const [count] = useState(2);
  const double = useMemo(() => count * 2, [count]);
  const { path, query } = useLocation();
  return (
    <form>
      <label for={id}>{double}</label>
      <input id={id} value={hostile[2]} disabled />
      <textarea value={hostile[1]} />
      <select value="two">
        <option>one</option>
        <option>two</option>
      </select>
      <pre>{path + JSON.stringify(query)}</pre>
      <div dangerouslySetInnerHTML={{ __html: '<i>raw</i>' }} style={{ order: 3, color: 'red' }} />
    </form>
  );
}

const Hostile = () =>
  hostile.map((text) => (
    <p title={text}>
      {text}
      <a href={text}>link</a>
    </p>
  ));

function Item({ item }) {
  const unit = useContext(Unit);
  return (
    <li id={`item-${item.id}`} data-name={item.name}>
      {item.name} costs {item.price.toFixed(2)} {unit}
      {item.tags.map((tag) => (
        <b>{tag}</b>
      ))}
    </li>
  );
}

const List = () => (
  <Unit.Provider value="€ & <¢>">
    <ul>
      {items.map((item) => (
        <Item key={item.id} item={item} />
      ))}
    </ul>
  </Unit.Provider>
);

const Late = lazy(() => later({ default: ({ id }) => <h1>{items[id - 1]?.name ?? 'no item'}</h1> }));

const Missing = () => <h1>No such page</h1>;

const App = () => (
  <LocationProvider>
    <Router>
      <Route path="/" component={Home} />
      <Route path="/hostile" component={Hostile} />
      <Route path="/list" component={List} />
      <Route path="/items/:id" component={Late} />
      <Route default component={Missing} />
    </Router>
  </LocationProvider>
);

globalThis.renderPage = async (url) => {
  // preact-iso reads the page's place from a global
  const { pathname, search } = new URL(url, 'http://localhost');
  globalThis.location = { pathname, search, href: url, origin: 'http://localhost' };
  const { html, links } = await prerender(<App />);
  const known = /^\/($|hostile$|list$|items\/)/.test(pathname);
  return {
    status: known ? 200 : 404,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: `<!doctype html>${renderToString(<title>{`Preact ${pathname}`}</title>)}${html}<!-- ${[...(links ?? [])].length} -->`,
  };
};
