// SPDX-License-Identifier: MIT
export const GET = ({ url, locals }) => Response.json({ asked: url.search, list: ['<', '\u2028'], env: locals.env.NAME });
export const PUT = async ({ request }) => new Response((await request.text()).toUpperCase(), { status: 202, headers: { 'x-put': 'yes' } });
export const POST = async ({ request, redirect }) => {
  const form = await request.formData();
  return form.get('name') === 'away' ? redirect('/list?from=%22', 303) : Response.json([...form], { status: 422 });
};
