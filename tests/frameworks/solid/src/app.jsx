// SPDX-License-Identifier: MIT
import { For, Show, Suspense, createContext, createMemo, createResource, createSignal, createUniqueId, useContext } from 'solid-js';
import { hostile, items, later } from '../../shared/data.js';

const Unit = createContext('none');

function Home() {
  const id = createUniqueId();
  const [count, setCount] = createSignal(2);
  const double = createMemo(() => count() * 2);
  return (
    <form>
      <label for={id}>{double()}</label>
      <input id={id} value={hostile[2]} disabled onInput={() => setCount(3)} />
      <textarea>{hostile[1]}</textarea>
      <div innerHTML="<i>raw</i>" classList={{ big: true, small: false }} style={{ color: 'red' }} />
    </form>
  );
}

function Item(props) {
  const unit = useContext(Unit);
  return (
    <li id={`item-${props.item.id}`} data-name={props.item.name}>
      {props.item.name} costs {props.item.price.toFixed(2)} {unit}
      <For each={props.item.tags}>{(tag) => <b>{tag}</b>}</For>
    </li>
  );
}

function Waits() {
  const [slow] = createResource(() => later({ text: 'slow </script> & <late>', when: new Date(0), list: [1, , 3] }, 90));
  const [quick] = createResource(() => later('quick', 30));
  return (
    <>
      <Suspense fallback={<i>wait</i>}>
        <p>{slow()?.text}</p>
      </Suspense>
      <Suspense fallback={<i>wait</i>}>
        <Show when={quick()}>{(text) => <p>{text()}</p>}</Show>
      </Suspense>
    </>
  );
}

const pages = {
  '/': Home,
  '/hostile': () => (
    <For each={hostile}>
      {(text, i) => (
        <p title={text}>
          {text}
          <a href={text}>{i()}</a>
        </p>
      )}
    </For>
  ),
  '/list': () => (
    <Unit.Provider value="€ & <¢>">
      <ul>
        <For each={items}>{(item) => <Item item={item} />}</For>
      </ul>
    </Unit.Provider>
  ),
  '/waits': Waits,
};

export const status = (path) => (pages[path] ? 200 : 404);

export function App(props) {
  const Page = pages[props.path] ?? (() => <h1>No {props.path}</h1>);
  return (
    <main data-query={props.query}>
      <Page />
    </main>
  );
}
