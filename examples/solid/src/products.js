// SPDX-License-Identifier: MIT
export const products = ['Kettle', 'Teapot "Löwe"', 'Mug & saucer', 'Lantern <outdoor>'].map((name, i) => ({
  id: i + 1,
  name,
  cents: 4900 + 100 * i,
}));
