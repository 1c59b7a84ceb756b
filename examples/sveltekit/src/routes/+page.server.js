// SPDX-License-Identifier: MIT
import { fail } from '@sveltejs/kit';
import { products } from '$lib/products.js';

// Kept by ssrd for a minute, because it says so; without Cache-Control a page is never kept.
export function load({ setHeaders }) {
  setHeaders({ 'cache-control': 'public, s-maxage=60' });
  return { products: products.map(({ id, name }) => ({ id, name })) };
}

export const actions = {
  async default({ request }) {
    const wish = (await request.formData()).get('wish')?.trim();
    return wish ? { wish } : fail(422, { missing: true });
  },
};
