// SPDX-License-Identifier: MIT
import { error } from '@sveltejs/kit';
import { items, later } from '../../../../../shared/data.js';

export async function load({ params, setHeaders }) {
  const item = await later(items[Number(params.id) - 1]);
  if (!item) error(404, `no item <${params.id}>`);
  setHeaders({ 'x-item': params.id });
  return { item };
}
