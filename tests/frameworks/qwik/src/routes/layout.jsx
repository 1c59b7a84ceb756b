// SPDX-License-Identifier: MIT
import { component$, createContextId, Slot, useContextProvider, useStore } from '@builder.io/qwik';
import { Link } from '@builder.io/qwik-city';

export const Unit = createContextId('unit');

export default component$(() => {
  useContextProvider(Unit, useStore({ sign: '€ & <¢>' }));
  return (
    <>
      <nav>
        <Link href="/">Start</Link>
      </nav>
      <Slot />
    </>
  );
});
