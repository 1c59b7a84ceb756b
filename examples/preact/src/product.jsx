// SPDX-License-Identifier: MIT
// A module of its own, which a browser loads when it is first needed.
import { useState } from 'preact/hooks';
import { products } from './products.js';

export default function Product({ id }) {
  const [basket, setBasket] = useState(0);
  const product = products.find((one) => String(one.id) === id);
  if (!product) return <h1>No such product</h1>;
  return (
    <>
      <h1>{product.name}</h1>
      <p>{(product.cents / 100).toFixed(2)} €</p>
      <button onClick={() => setBasket(basket + 1)}>{basket} in the basket</button>
    </>
  );
}
