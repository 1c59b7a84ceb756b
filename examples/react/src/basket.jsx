// SPDX-License-Identifier: MIT
import { useState } from 'react';

export function Basket() {
  const [count, setCount] = useState(0);
  return <button onClick={() => setCount(count + 1)}>{`${count} in the basket`}</button>;
}
