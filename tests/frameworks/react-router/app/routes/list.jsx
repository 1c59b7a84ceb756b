// SPDX-License-Identifier: MIT
import { items } from '../../../shared/data.js';

export const loader = () => ({ items });
export default ({ loaderData }) => (
  <ul>
    {loaderData.items.map((item) => (
      <li key={item.id} data-name={item.name}>
        {item.name} costs {item.price.toFixed(2)}
      </li>
    ))}
  </ul>
);
