// SPDX-License-Identifier: MIT
// The default export is the fetch handler: app.fetch(request, env, ctx). env is the config's `env:`.
import { Hono } from 'hono';
import { getCookie } from 'hono/cookie';
import { streamText } from 'hono/streaming';

const app = new Hono();

const Page = ({ title, children }) => (
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <title>{title}</title>
    </head>
    <body>{children}</body>
  </html>
);

// Kept by ssrd for a minute, because it says so; without Cache-Control an answer is never kept.
app.get('/', (c) => {
  c.header('Cache-Control', 'public, s-maxage=60');
  return c.html(<Page title="Guests"><h1>Guests of {c.env.NAME ?? 'the house'}</h1><a href="/guests/7">the seventh</a></Page>);
});

// A module of its own, loaded when first asked for.
app.get('/guests/:id', async (c) => {
  const { Guest } = await import('./guest.jsx');
  return c.html(<Page title="A guest"><Guest id={c.req.param('id')} shout={c.req.query('shout')} /></Page>);
});

app.get('/me', (c) => c.text(`hello ${getCookie(c, 'name') ?? 'stranger'}`));

app.post('/guests', async (c) => {
  const form = await c.req.parseBody();
  if (typeof form.name !== 'string' || form.name === '')
    return c.json({ error: 'name is missing' }, 422);
  return c.json({ name: form.name, bytes: form.photo?.size ?? 0 }, 201);
});

app.put('/echo', async (c) => c.json({ method: c.req.method, got: await c.req.json() }));

app.get('/count', (c) => streamText(c, async (stream) => {
  for (let i = 1; i <= 3; i++) {
    await stream.write(`${i} `);
    await stream.sleep(1);
  }
}));

app.get('/throws', () => {
  throw new TypeError('a guest is missing');
});

app.notFound((c) => c.text('no such page', 404));

export default app;
