// SPDX-License-Identifier: MIT
import * as shared from '../../shared/data.js';

export type Item = { id: number; name: string; price: number; tags: string[] };
export const hostile: string[] = shared.hostile;
export const items: Item[] = shared.items;
export const later: <T>(value: T, turns?: number) => Promise<T> = shared.later;
