// SPDX-License-Identifier: MIT
import { createFileRoute } from '@tanstack/react-router';
import { createContext, useContext } from 'react';
import { items } from '../../../shared/data.js';

const Unit = createContext('none');

function Item({ item }) {
  const unit = useContext(Unit);
  return (
    <li id={`item-${item.id}`} data-name={item.name}>
      {item.name} costs {item.price.toFixed(2)} {unit}
      {item.tags.map((tag) => (
        <b key={tag}>{tag}</b>
      ))}
    </li>
  );
}

export const Route = createFileRoute('/list')({
  component: () => (
    <Unit value="€ & <¢>">
      <ul>
        {items.map((item) => (
          <Item key={item.id} item={item} />
        ))}
      </ul>
    </Unit>
  ),
});
