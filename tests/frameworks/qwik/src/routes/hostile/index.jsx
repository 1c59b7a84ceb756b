// SPDX-License-Identifier: MIT
import { component$ } from '@builder.io/qwik';
import { hostile } from '../../../../shared/data.js';

export default component$(() => (
  <>
    {hostile.map((text, i) => (
      <p key={i} title={text} class={{ odd: i % 2 }}>
        {text}
        <a href={text} onClick$={() => console.log(text)}>
          {i}
        </a>
      </p>
    ))}
  </>
));
