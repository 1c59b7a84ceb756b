// SPDX-License-Identifier: MIT
import { hydrateRoot } from 'react-dom/client';
import { App } from './app.jsx';

hydrateRoot(document, <App path={location.pathname} query={location.search} />);
