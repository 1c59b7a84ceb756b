// SPDX-License-Identifier: MIT
import { Suspense } from 'react';
import { Await, Form, Link, data, redirect } from 'react-router';
import { hostile, later } from '../../../shared/data.js';

export const meta = () => [{ title: hostile[0] }, { name: 'description', content: hostile[2] }];
export const headers = () => ({ 'X-Home': 'yes' });

export const loader = ({ request }) => ({
  hostile: hostile.slice(0, 7),
  q: new URL(request.url).searchParams.getAll('q'),
  date: new Date(0),
  map: new Map([[1, new Set(['a'])]]),
  late: later('late </script>', 60),
});

export async function action({ request }) {
  const form = await request.formData();
  if (form.get('name') === 'away') throw redirect('/list?from=%22', { headers: { 'Set-Cookie': 'a=b' } });
  return data({ name: form.get('name') }, 422);
}

export default ({ loaderData, actionData }) => (
  <main>
    {loaderData.hostile.map((text) => (
      <p key={text} title={text}>
        {text}
      </p>
    ))}
    <Link to="/items/3?x=%22">three</Link>
    <Form method="post">
      <input name="name" defaultValue={actionData?.name} />
    </Form>
    <pre>{JSON.stringify(loaderData.q)}</pre>
    <Suspense fallback={<i>wait</i>}>
      <Await resolve={loaderData.late}>{(text) => <em>{text}</em>}</Await>
    </Suspense>
  </main>
);
