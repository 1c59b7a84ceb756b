// SPDX-License-Identifier: MIT
export const onGet = ({ json, url, env }) => json(200, { asked: url.search, list: ['<', '\u2028'], env: env.get('NAME') });
export const onPut = async ({ request, text, headers }) => {
  headers.set('x-put', 'yes');
  text(202, (await request.text()).toUpperCase());
};
