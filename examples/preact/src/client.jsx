// SPDX-License-Identifier: MIT
import { hydrate } from 'preact-iso';
import { App, Product } from './app.jsx';

// The module of the page that is shown comes first: what is hydrated must be there at once.
if (location.pathname.startsWith('/products/')) await Product.preload();
hydrate(<App />, document.querySelector('#app'));
