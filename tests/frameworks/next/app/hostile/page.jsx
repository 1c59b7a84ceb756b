// SPDX-License-Identifier: MIT
import { hostile } from '../../../shared/data.js';

export const runtime = 'edge';

export default function Page() {
  return hostile.map((text, i) => (
    <p key={i} title={text}>
      {text}
      <a href={text.replace('javascript', 'script')}>{i}</a>
    </p>
  ));
}
