// SPDX-License-Identifier: MIT
// The application, the same on both sides.
import { lazy, LocationProvider, Route, Router } from 'preact-iso';
import { products } from './products.js';

export const Product = lazy(() => import('./product.jsx'));

const Start = () => (
  <>
    <h1>Fern &amp; Co.</h1>
    <ul>
      {products.map(({ id, name }) => (
        <li key={id}>
          <a href={`/products/${id}`}>{name}</a>
        </li>
      ))}
    </ul>
  </>
);

const Missing = () => <h1>There is no such page</h1>;

export const App = () => (
  <LocationProvider>
    <Router>
      <Route path="/" component={Start} />
      <Route path="/products/:id" component={Product} />
      <Route default component={Missing} />
    </Router>
  </LocationProvider>
);
