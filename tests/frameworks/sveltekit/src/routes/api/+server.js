// SPDX-License-Identifier: MIT
import { json, text } from '@sveltejs/kit';

export const GET = ({ url }) => json({ asked: url.search, list: ['<', '\u2028'] });
export const PUT = async ({ request }) => text((await request.text()).toUpperCase(), { status: 202, headers: { 'x-put': 'yes' } });
