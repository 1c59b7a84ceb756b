// SPDX-License-Identifier: MIT
import { createFileRoute, notFound } from '@tanstack/react-router';
import { items, later } from '../../../shared/data.js';

export const Route = createFileRoute('/items/$id')({
  loader: async ({ params }) => {
    const item = await later(items[Number(params.id) - 1]);
    if (!item) throw notFound();
    return item;
  },
  component: () => <pre>{JSON.stringify(Route.useLoaderData())}</pre>,
  notFoundComponent: () => <h1>{'no <item>'}</h1>,
});
