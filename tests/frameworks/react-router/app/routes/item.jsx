// SPDX-License-Identifier: MIT
import { data } from 'react-router';
import { items, later } from '../../../shared/data.js';

export async function loader({ params }) {
  const item = await later(items[Number(params.id) - 1]);
  if (!item) throw data(`no item <${params.id}>`, { status: 404 });
  return { item };
}

export default ({ loaderData }) => <h1>{loaderData.item.name}</h1>;
