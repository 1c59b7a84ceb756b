// SPDX-License-Identifier: MIT
import { Suspense } from 'react';
import { later } from '../../../shared/data.js';

export const runtime = 'edge';

async function Late({ turns }) {
  return <p>{await later('late </script>', turns)}</p>;
}

export default function Page() {
  return (
    <Suspense fallback={<i>wait</i>}>
      <Late turns={400} />
    </Suspense>
  );
}
