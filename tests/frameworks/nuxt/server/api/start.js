// SPDX-License-Identifier: MIT
import { hostile, later } from '../../../shared/data.js';
export default defineEventHandler(async (event) => ({ text: await later(hostile[0]), asked: getQuery(event), list: ['<', '\u2028'] }));
