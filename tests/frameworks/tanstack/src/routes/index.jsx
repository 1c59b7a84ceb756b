// SPDX-License-Identifier: MIT
import { createFileRoute } from '@tanstack/react-router';
import { createServerFn } from '@tanstack/react-start';
import { getCookie, setCookie, setResponseHeader } from '@tanstack/react-start/server';
import { useId, useState } from 'react';
import { hostile, later } from '../../../shared/data.js';

const load = createServerFn().handler(async () => {
  setCookie('seen', 'ü; 1', { path: '/' });
  setResponseHeader('x-page', 'start');
  return { had: getCookie('had'), text: await later(hostile[1]), date: new Date(0), list: ['<', '\u2028'] };
});

function Start() {
  const data = Route.useLoaderData();
  const search = Route.useSearch();
  const id = useId();
  const [count, setCount] = useState(2);
  return (
    <form>
      <h1 style={{ color: 'red' }}>{data.text}</h1>
      <pre>
        {data.had} {data.date.toISOString()} {JSON.stringify(search)}
      </pre>
      <label htmlFor={id}>{count * 2}</label>
      <input id={id} defaultValue={hostile[2]} disabled />
      <textarea defaultValue={hostile[1]} />
      <div dangerouslySetInnerHTML={{ __html: '<i>raw</i>' }} />
      <button onClick={() => setCount(count + 1)}>{count} times</button>
    </form>
  );
}

export const Route = createFileRoute('/')({
  component: Start,
  loader: () => load(),
  head: ({ loaderData }) => ({ meta: [{ title: loaderData.text }, { name: 'q', content: hostile[2] }] }),
});
