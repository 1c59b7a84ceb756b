// SPDX-License-Identifier: MIT
import { defineMiddleware, sequence } from 'astro:middleware';

export const onRequest = sequence(
  defineMiddleware(({ locals, url }, next) => {
    locals.asked = [...url.searchParams];
    return next();
  }),
  defineMiddleware(async (_, next) => {
    const response = await next();
    response.headers.set('x-middleware', 'yes');
    return response;
  }),
);
