// SPDX-License-Identifier: MIT
// The application, the same on both sides.
import { For, Match, Show, Suspense, Switch, createResource, createSignal } from 'solid-js';
import { products } from './products.js';

const idOf = (path) => /^\/products\/(\d+)$/.exec(path)?.[1];
const find = (id) => products.find((product) => String(product.id) === id);

// Stands for a call of the shop's own service. Only the server makes it: the browser gets what came of it with the page.
const load = async (id) => find(id);

export const status = (path) => (path === '/' || find(idOf(path)) ? 200 : 404);

const Start = () => (
  <ul>
    <For each={products}>
      {({ id, name }) => (
        <li>
          <a href={`/products/${id}`}>{name}</a>
        </li>
      )}
    </For>
  </ul>
);

function Product(props) {
  const [product] = createResource(() => props.id, load);
  const [basket, setBasket] = createSignal(0);
  return (
    <Suspense fallback={<p>One moment</p>}>
      <Show when={product()} fallback={<p>There is no such product</p>}>
        <h2>{product().name}</h2>
        <p>{(product().cents / 100).toFixed(2)} €</p>
        <button onClick={() => setBasket(basket() + 1)}>{basket()} in the basket</button>
      </Show>
    </Suspense>
  );
}

export const App = (props) => (
  <>
    <h1>Fern &amp; Co.</h1>
    <Switch fallback={<p>There is no such page</p>}>
      <Match when={props.path === '/'}>
        <Start />
      </Match>
      <Match when={idOf(props.path)}>{(id) => <Product id={id()} />}</Match>
    </Switch>
  </>
);
