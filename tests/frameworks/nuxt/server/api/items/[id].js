// SPDX-License-Identifier: MIT
import { items, later } from '../../../../shared/data.js';
export default defineEventHandler(async (event) => {
  const item = await later(items[Number(getRouterParam(event, 'id')) - 1]);
  if (!item) throw createError({ statusCode: 404, statusMessage: 'no such item' });
  return item;
});
