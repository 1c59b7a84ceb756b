// SPDX-License-Identifier: MIT
import { items } from '../../../shared/data.js';

export const runtime = 'edge';

const Item = ({ item }) => (
  <li id={`item-${item.id}`} data-name={item.name}>
    {item.name} costs {item.price.toFixed(2)}
    {item.tags.map((tag) => (
      <b key={tag}>{tag}</b>
    ))}
  </li>
);

export default function Page() {
  return (
    <ul>
      {items.map((item) => (
        <Item key={item.id} item={item} />
      ))}
    </ul>
  );
}
