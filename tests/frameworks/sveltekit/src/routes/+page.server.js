// SPDX-License-Identifier: MIT
import { fail, redirect } from '@sveltejs/kit';
import { hostile, later } from '../../../shared/data.js';

export async function load({ cookies, url, fetch }) {
  const more = await (await fetch('/api?x=1')).json();
  cookies.set('seen', 'ü; 1', { path: '/', secure: false });
  return { text: hostile[0], date: new Date(0), map: new Map([[1, more]]), q: url.searchParams.getAll('q'), had: cookies.get('had'), late: later('late </script>', 60) };
}

export const actions = {
  default: async ({ request }) => {
    const form = await request.formData();
    if (form.get('name') === 'away') redirect(303, '/list?from=%22');
    return fail(422, { name: form.get('name') });
  },
};
