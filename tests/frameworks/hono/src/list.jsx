// SPDX-License-Identifier: MIT
import { items } from '../../shared/data.js';

export const List = () => (
  <ul>
    {items.map((item) => (
      <li id={`item-${item.id}`} data-name={item.name}>
        {item.name} costs {item.price.toFixed(2)}
        {item.tags.map((tag) => (
          <b>{tag}</b>
        ))}
      </li>
    ))}
  </ul>
);
