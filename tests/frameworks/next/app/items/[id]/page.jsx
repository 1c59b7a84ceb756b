// SPDX-License-Identifier: MIT
import { notFound } from 'next/navigation';
import { items, later } from '../../../../shared/data.js';

export const runtime = 'edge';

export default async function Page({ params }) {
  const item = await later(items[Number((await params).id) - 1]);
  if (!item) notFound();
  return <pre>{JSON.stringify(item)}</pre>;
}
