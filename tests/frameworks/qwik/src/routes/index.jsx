// SPDX-License-Identifier: MIT
import { $, component$, useComputed$, useId, useSignal, useStyles$, useTask$ } from '@builder.io/qwik';
import { Form, routeAction$, routeLoader$, useLocation } from '@builder.io/qwik-city';
import { hostile, later } from '../../../shared/data.js';

export const useStart = routeLoader$(async ({ cookie, headers, url }) => {
  cookie.set('seen', 'ü; 1', { path: '/' });
  headers.set('x-page', 'start');
  return { had: cookie.get('had')?.value, q: url.searchParams.getAll('q'), text: await later(hostile[1]), date: new Date(0), map: [new Map([[1, '<']])].length };
});

export const useSend = routeAction$(async (form, { fail, redirect }) => {
  if (form.name === 'away') throw redirect(303, '/list/?from=%22');
  return fail(422, { name: form.name });
});

export default component$(() => {
  const start = useStart();
  const send = useSend();
  const place = useLocation();
  const count = useSignal(2);
  const double = useComputed$(() => count.value * 2);
  const late = useSignal('');
  const id = useId();
  useStyles$('h1 { font-weight: 100 }');
  useTask$(async () => {
    late.value = await later('late </script>');
  });
  const add = $(() => count.value++);
  return (
    <>
      <h1 style={{ color: 'red' }} class={{ big: true, small: count.value > 3 }}>
        {start.value.text}
      </h1>
      <pre>
        {JSON.stringify(start.value)} {place.url.search} {late.value}
      </pre>
      <label for={id}>{double.value}</label>
      <input id={id} value={hostile[2]} disabled />
      <textarea value={hostile[1]} />
      <div dangerouslySetInnerHTML="<i>raw</i>" />
      <button onClick$={add}>{count.value} times</button>
      <Form action={send}>
        <input name="name" value={send.value?.name} />
      </Form>
    </>
  );
});

export const head = ({ resolveValue }) => ({ title: resolveValue(useStart).text, meta: [{ name: 'q', content: JSON.stringify(resolveValue(useStart).q) }] });
