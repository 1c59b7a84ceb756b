// SPDX-License-Identifier: MIT
// The goods that are shown when no `data.products` is given: 40, the same in every process.

const kinds = [
  ['Kettle', 'Kitchen', 3990],
  ['Teapot "Löwe"', 'Kitchen', 4550],
  ['Mug & saucer', 'Kitchen', 1290],
  ['Reading lamp', 'Light', 6900],
  ['Lantern <outdoor>', 'Light', 5490],
  ['Wool blanket', 'Home', 8900],
  ['Cushion', 'Home', 2490],
  ['Notebook A5', 'Desk', 790],
  ["Writer's pen", 'Desk', 1990],
  ['Paper knife', 'Desk', 1490],
];
const colours = ['white', 'blue', 'green', 'ochre'];

export const catalogue = colours.flatMap((colour, c) =>
  kinds.map(([name, group, cents], k) => ({
    id: c * kinds.length + k + 1,
    name: `${name}, ${colour}`,
    group,
    cents: cents + c * 150,
    stock: (k * 7 + c * 5) % 13,
  })),
);
