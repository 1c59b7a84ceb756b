// SPDX-License-Identifier: MIT
import { createFileRoute, redirect } from '@tanstack/react-router';

export const Route = createFileRoute('/old')({
  beforeLoad: () => {
    throw redirect({ to: '/items/$id', params: { id: '7' }, search: { from: 'old' }, statusCode: 308 });
  },
});
