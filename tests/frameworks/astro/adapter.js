// SPDX-License-Identifier: MIT
import { App } from 'astro/app';

export function createExports(manifest) {
  const app = new App(manifest);
  const fetch = (request, env) => app.render(request, { addCookieHeader: true, locals: { env }, clientAddress: '127.0.0.1' });
  return { default: { fetch } };
}
