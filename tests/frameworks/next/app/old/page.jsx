// SPDX-License-Identifier: MIT
import { redirect } from 'next/navigation';

export const runtime = 'edge';

export default function Page() {
  redirect('/items/7?from=old');
}
