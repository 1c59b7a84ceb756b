// SPDX-License-Identifier: MIT
import { Links, Meta, Outlet, Scripts, ScrollRestoration, isRouteErrorResponse } from 'react-router';

export const Layout = ({ children }) => (
  <html lang="en">
    <head>
      <Meta />
      <Links />
    </head>
    <body>
      {children}
      <ScrollRestoration />
      <Scripts />
    </body>
  </html>
);

export default () => <Outlet />;

export const ErrorBoundary = ({ error }) => <h1>{isRouteErrorResponse(error) ? `${error.status} ${error.data}` : 'broken'}</h1>;
