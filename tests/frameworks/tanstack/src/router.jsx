// SPDX-License-Identifier: MIT
import { createRouter } from '@tanstack/react-router';
import { routeTree } from './routeTree.gen';

export const getRouter = () =>
  createRouter({ routeTree, defaultNotFoundComponent: () => <h1>No such page</h1>, defaultErrorComponent: ({ error }) => <h1>{error.message}</h1> });
