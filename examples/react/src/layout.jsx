// SPDX-License-Identifier: MIT
// The document around every page, on the server and in the browser, which hydrates all of it.

const style = `
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:0 1rem;color:#223}
nav a{margin-right:1rem}
a[aria-current]{font-weight:700}
table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid #ccd;padding:.25rem .5rem;text-align:left}
.number{font-variant-numeric:tabular-nums}
.none{color:#a33}
`;

const places = [
  ['/', 'Start'],
  ['/products', 'Products'],
  ['/shop', 'Shop'],
  ['/about', 'About'],
];

function Navigation({ path }) {
  return (
    <nav>
      {places.map(([to, text]) => (
        <a key={to} href={to} aria-current={to === path ? 'page' : undefined}>
          {text}
        </a>
      ))}
    </nav>
  );
}

function Greeting({ user }) {
  return user?.name === undefined ? null : <p className="greeting">Hello, {user.name}!</p>;
}

// What the back end sent goes to the browser with the page. Inside <script> only "<" could end it.
function State({ data }) {
  const text = JSON.stringify(data ?? {});
  if (text === '{}') return null;
  const script = { __html: `state = ${text.replaceAll('<', '\\u003c')}` };
  return <script dangerouslySetInnerHTML={script} suppressHydrationWarning />;
}

export function Document({ title, data, path, children }) {
  return (
    <html lang="en">
      <head>
        <meta charSet="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{`${title} – Fern & Co.`}</title>
        <style dangerouslySetInnerHTML={{ __html: style }} />
      </head>
      <body>
        <header>
          <Navigation path={path} />
          <Greeting user={data?.user} />
        </header>
        <main>
          <h1>{title}</h1>
          {children}
        </main>
        <footer>Rendered by React on the server.</footer>
        <State data={data} />
        <script type="module" src="/assets/client.js" />
      </body>
    </html>
  );
}
