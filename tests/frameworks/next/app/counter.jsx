// SPDX-License-Identifier: MIT
'use client';
import { useId, useState } from 'react';

export function Counter({ label, when, map }) {
  const id = useId();
  const [count, setCount] = useState(2);
  return (
    <form>
      <label htmlFor={id}>{label}</label>
      <input id={id} defaultValue={map.get(1)} disabled />
      <button onClick={() => setCount(count + 1)} title={when.toISOString()}>
        {count} times
      </button>
    </form>
  );
}
