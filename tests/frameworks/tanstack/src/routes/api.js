// SPDX-License-Identifier: MIT
import { createFileRoute } from '@tanstack/react-router';

export const Route = createFileRoute('/api')({
  server: {
    handlers: {
      GET: ({ request }) => Response.json({ asked: new URL(request.url).search, list: ['<', '\u2028'] }),
      PUT: async ({ request }) => new Response((await request.text()).toUpperCase(), { status: 202, headers: { 'x-put': 'yes' } }),
    },
  },
});
