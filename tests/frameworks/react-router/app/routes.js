// SPDX-License-Identifier: MIT
import { index, route } from '@react-router/dev/routes';

export default [index('routes/home.jsx'), route('list', 'routes/list.jsx'), route('items/:id', 'routes/item.jsx'), route('old', 'routes/old.jsx'), route('api', 'routes/api.js')];
