// SPDX-License-Identifier: MIT
import { component$, useContext } from '@builder.io/qwik';
import { items } from '../../../../shared/data.js';
import { Unit } from '../layout.jsx';

const Item = component$(({ item }) => {
  const unit = useContext(Unit);
  return (
    <li id={`item-${item.id}`} data-name={item.name}>
      {item.name} costs {item.price.toFixed(2)} {unit.sign}
      {item.tags.map((tag) => (
        <b key={tag}>{tag}</b>
      ))}
    </li>
  );
});

export default component$(() => (
  <ul>
    {items.map((item) => (
      <Item key={item.id} item={item} />
    ))}
  </ul>
));
