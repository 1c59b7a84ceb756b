// SPDX-License-Identifier: MIT
import { inject } from '@angular/core';
import { RedirectCommand, Router, type Routes } from '@angular/router';
import { items, later } from './data';
import { Hostile, ItemPage, List, Missing, Start, Waits } from './pages';

export const routes: Routes = [
  { path: '', component: Start },
  { path: 'hostile', component: Hostile },
  { path: 'list', component: List, title: 'List </title>' },
  { path: 'waits', component: Waits },
  { path: 'browser', component: Waits },
  { path: 'lazy', loadComponent: () => import('./lazy').then((m) => m.Lazy) },
  {
    path: 'items/:id',
    component: ItemPage,
    resolve: { item: async ({ params }: { params: Record<string, string> }) => later(items[Number(params['id']) - 1] ?? null) },
  },
  { path: 'old', redirectTo: '/items/7?from=old' },
  { path: 'guarded', component: Start, canActivate: [() => new RedirectCommand(inject(Router).parseUrl('/?denied=%3C1%3E'))] },
  { path: '**', component: Missing },
];
