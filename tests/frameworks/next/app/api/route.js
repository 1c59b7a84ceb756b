// SPDX-License-Identifier: MIT
import { NextResponse } from 'next/server';

export const runtime = 'edge';

export function GET(request) {
  const answer = NextResponse.json({ asked: request.nextUrl.search, list: ['<', '\u2028'] });
  answer.cookies.set('seen', 'ü; 1');
  return answer;
}
export async function PUT(request) {
  return new Response((await request.text()).toUpperCase(), { status: 202, headers: { 'x-put': 'yes' } });
}
