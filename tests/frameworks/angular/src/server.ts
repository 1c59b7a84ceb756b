// SPDX-License-Identifier: MIT
import { AngularAppEngine, createRequestHandler } from '@angular/ssr';

const engine = new AngularAppEngine({ allowedHosts: ['localhost'] });

async function fetch(request: Request) {
  return (await engine.handle(request)) ?? new Response('No such page', { status: 404 });
}

// What Angular's own tools look for, and what ssrd calls.
export const reqHandler = createRequestHandler(fetch);
export default { fetch };
