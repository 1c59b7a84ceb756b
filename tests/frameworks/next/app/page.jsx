// SPDX-License-Identifier: MIT
import { cookies, headers } from 'next/headers';
import Link from 'next/link';
import { hostile, later } from '../../shared/data.js';
import { Counter } from './counter.jsx';

export const runtime = 'edge';

export async function generateMetadata({ searchParams }) {
  return { title: hostile[0], description: JSON.stringify(await searchParams) };
}

export default async function Page({ searchParams }) {
  const asked = await searchParams;
  return (
    <main>
      <Link href="/list?q=%3C">List</Link>
      <h1 style={{ color: 'red' }}>{hostile[0]}</h1>
      <pre>
        {JSON.stringify(asked)} {(await cookies()).get('had')?.value} {(await headers()).get('x-asked')} {await later(hostile[1])}
      </pre>
      <Counter label={hostile[2]} when={new Date(0)} map={new Map([[1, '<']])} />
    </main>
  );
}
