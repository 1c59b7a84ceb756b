// SPDX-License-Identifier: MIT
// The document around every page.

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

export function Document({ title, user, path, children }) {
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
          <Greeting user={user} />
        </header>
        <main>
          <h1>{title}</h1>
          {children}
        </main>
        <footer>Rendered by React on the server.</footer>
      </body>
    </html>
  );
}
