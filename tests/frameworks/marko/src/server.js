// SPDX-License-Identifier: MIT
import Page from './page.marko';

const known = ['/', '/hostile', '/list', '/waits'];

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const page = Page.render({ path: pathname, query: [...searchParams] });
    return new Response(searchParams.has('whole') ? await page : page.toReadable(), {
      status: known.includes(pathname) ? 200 : 404,
      headers: { 'content-type': 'text/html; charset=utf-8' },
    });
  },
};
