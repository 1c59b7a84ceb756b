// SPDX-License-Identifier: MIT
import { mergeApplicationConfig } from '@angular/core';
import { bootstrapApplication, type BootstrapContext } from '@angular/platform-browser';
import { provideServerRendering, RenderMode, withRoutes } from '@angular/ssr';
import { App } from './app';
import { config } from './config';

const server = mergeApplicationConfig(config, {
  providers: [
    provideServerRendering(
      withRoutes([
        { path: 'list', renderMode: RenderMode.Server, headers: { 'x-list': 'yes' } },
        { path: 'browser', renderMode: RenderMode.Client },
        ...['', 'hostile', 'waits', 'lazy', 'items/:id', 'old', 'guarded'].map((path) => ({ path, renderMode: RenderMode.Server }) as const),
        { path: '**', renderMode: RenderMode.Server, status: 404 },
      ]),
    ),
  ],
});

export default (context: BootstrapContext) => bootstrapApplication(App, server, context);
