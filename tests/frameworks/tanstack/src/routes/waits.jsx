// SPDX-License-Identifier: MIT
import { Await, createFileRoute } from '@tanstack/react-router';
import { Suspense } from 'react';
import { later } from '../../../shared/data.js';

export const Route = createFileRoute('/waits')({
  loader: async () => ({ slow: later({ text: 'slow </script> & <late>', when: new Date(0) }, 90), quick: await later('quick') }),
  component: () => {
    const { slow, quick } = Route.useLoaderData();
    return (
      <>
        <p>{quick}</p>
        <Suspense fallback={<i>wait</i>}>
          <Await promise={slow}>{({ text }) => <p>{text}</p>}</Await>
        </Suspense>
      </>
    );
  },
});
