// SPDX-License-Identifier: MIT
// What a path shows; the browser gets it with the page.
import { products } from './products.js';

export function load(path) {
  if (path === '/') return { status: 200, data: { title: 'Fern & Co.', products } };
  const product = products.find(({ id }) => path === `/products/${id}`);
  if (product) return { status: 200, data: { title: product.name, product } };
  return { status: 404, data: { title: 'There is no such page' } };
}
