// SPDX-License-Identifier: MIT
import { createFileRoute } from '@tanstack/react-router';
import { hostile } from '../../../shared/data.js';

export const Route = createFileRoute('/hostile')({
  component: () =>
    hostile.map((text, i) => (
      <p key={i} title={text}>
        {text}
        <a href={text.replace('javascript', 'script')}>{i}</a>
      </p>
    )),
});
