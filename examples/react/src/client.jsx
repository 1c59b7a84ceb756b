// SPDX-License-Identifier: MIT
// What browsers load: takes the document over as the server has rendered it.
import { hydrateRoot } from 'react-dom/client';
import { pageOf } from './app.jsx';

hydrateRoot(document, pageOf(location.pathname + location.search, globalThis.state).document);
