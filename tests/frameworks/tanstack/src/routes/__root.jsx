// SPDX-License-Identifier: MIT
import { createRootRoute, HeadContent, Link, Outlet, Scripts } from '@tanstack/react-router';

const Document = () => (
  <html lang="en">
    <head>
      <HeadContent />
    </head>
    <body>
      <nav>
        <Link to="/">Start</Link> <Link to="/list" search={{ q: '<&>' }}>List</Link>
      </nav>
      <Outlet />
      <Scripts />
    </body>
  </html>
);

export const Route = createRootRoute({ component: Document, head: () => ({ meta: [{ charSet: 'utf-8' }] }) });
