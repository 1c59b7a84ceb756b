// SPDX-License-Identifier: MIT
import { component$ } from '@builder.io/qwik';
import { routeLoader$ } from '@builder.io/qwik-city';
import { items, later } from '../../../../../shared/data.js';

export const useItem = routeLoader$(async ({ params, error }) => {
  const item = await later(items[Number(params.id) - 1]);
  if (!item) throw error(404, `no item <${params.id}>`);
  return item;
});

export default component$(() => {
  const item = useItem();
  return <pre>{JSON.stringify(item.value)}</pre>;
});
