// SPDX-License-Identifier: MIT
// What a browser takes over: an effect tells that it did, a click changes the text.
import { useEffect, useId, useState } from 'react';
import { hostile } from '../../shared/data.js';

export function Counter({ query }) {
  const [count, setCount] = useState(0);
  const id = useId();
  useEffect(() => {
    document.documentElement.dataset.hydrated = 'react';
  }, []);
  return (
    <main>
      <p title={hostile[2]}>
        {hostile[0]} {query}
      </p>
      <label htmlFor={id}>clicked</label>
      <button id={id} onClick={() => setCount(count + 1)}>
        {count} times
      </button>
    </main>
  );
}
