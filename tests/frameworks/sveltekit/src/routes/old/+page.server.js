// SPDX-License-Identifier: MIT
import { redirect } from '@sveltejs/kit';

export const load = () => redirect(308, '/items/7?from=old');
