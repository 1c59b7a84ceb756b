// SPDX-License-Identifier: MIT
import { error } from '@sveltejs/kit';
import { products } from '$lib/products.js';

export function load({ params }) {
  const product = products.find(({ id }) => String(id) === params.id);
  return product ? { product } : error(404, 'No such product');
}
