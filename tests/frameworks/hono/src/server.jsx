// SPDX-License-Identifier: MIT
import { Hono } from 'hono';
import { deleteCookie, getCookie, setCookie, setSignedCookie } from 'hono/cookie';
import { csrf } from 'hono/csrf';
import { etag } from 'hono/etag';
import { html, raw } from 'hono/html';
import { HTTPException } from 'hono/http-exception';
import { jsxRenderer } from 'hono/jsx-renderer';
import { Suspense, renderToReadableStream } from 'hono/jsx/streaming';
import { sign, verify } from 'hono/jwt';
import { secureHeaders } from 'hono/secure-headers';
import { streamSSE, streamText } from 'hono/streaming';
import { hostile, later } from '../../shared/data.js';

const app = new Hono();

app.use('/tagged', etag());
app.use('/secure', secureHeaders());
app.use('/form', csrf());
app.use(
  '/pages/*',
  jsxRenderer(({ children, title }) => (
    <html lang="en">
      <head>
        <title>{title}</title>
      </head>
      <body>{children}</body>
    </html>
  )),
);

app.get('/', (c) => c.html(<h1>Hono {c.env.NAME} {c.req.query('q')}</h1>));
app.get('/pages/hostile', (c) =>
  c.render(
    hostile.map((text) => (
      <p title={text} class={{ a: true }}>
        {text}
        <a href={text}>{raw('<i>raw</i>')}</a>
      </p>
    )),
    { title: hostile[0] },
  ),
);
app.get('/pages/list', async (c) => {
  const { List } = await import('./list.jsx');
  return c.render(<List />, { title: 'List' });
});
app.get('/template', (c) => c.html(html`<!doctype html><p>${hostile[0]}</p>${[1, 2].map((n) => html`<i>${n}</i>`)}`));
app.get('/items/:id{[0-9]+}', (c) => c.json({ id: Number(c.req.param('id')), queries: c.req.queries() }));
app.get('/old', (c) => c.redirect('/items/7?from=old&x=%22', 301));
app.get('/cookies', async (c) => {
  setCookie(c, 'a', 'b; c', { path: '/', httpOnly: true, maxAge: 60 });
  await setSignedCookie(c, 'signed', 'value', 'secret');
  deleteCookie(c, 'gone');
  return c.text(getCookie(c, 'had') ?? 'none');
});
app.get('/jwt', async (c) => {
  const token = await sign({ sub: 'Ünal', exp: 4e9 }, 'secret', 'HS256');
  return c.json({ token, payload: await verify(token, 'secret', 'HS256') });
});
app.get('/tagged', (c) => c.text('tagged '.repeat(100)));
app.get('/secure', (c) => c.text('secure'));
app.get('/text', (c) =>
  streamText(c, async (stream) => {
    for (const part of hostile.slice(0, 3)) await stream.writeln(await later(part));
  }),
);
app.get('/events', (c) =>
  streamSSE(c, async (stream) => {
    for (let id = 0; id < 3; id++) await stream.writeSSE({ id: String(id), event: 'tick', data: 'a\nb' });
  }),
);
const Late = async () => <em>{await later('late <&>', 40)}</em>;
app.get('/suspense', (c) => {
  const stream = renderToReadableStream(
    <main>
      <Suspense fallback={<i>wait</i>}>
        <Late />
      </Suspense>
    </main>,
  );
  return c.body(stream, { headers: { 'content-type': 'text/html; charset=UTF-8' } });
});
app.post('/form', async (c) => {
  const body = await c.req.parseBody({ all: true });
  return c.json(body, 201);
});
app.put('/echo', async (c) => c.json({ got: await c.req.json(), type: c.req.header('content-type') }));
app.get('/forbidden', () => {
  throw new HTTPException(403, { message: 'no <entry>' });
});
app.get('/throws', () => {
  throw new TypeError('on purpose');
});
app.notFound((c) => c.html(<h1>No {c.req.path}</h1>, 404));
app.onError((error, c) => (error instanceof HTTPException ? error.getResponse() : c.text(`${error.name}: ${error.message}`, 500)));

export default app;
