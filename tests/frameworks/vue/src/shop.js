// SPDX-License-Identifier: MIT
import { defineStore } from 'pinia';
import { computed, ref } from 'vue';
import { items, later } from '../../shared/data.js';

export const useShop = defineStore('shop', () => {
  const chosen = ref(null);
  const loads = ref(0);
  const label = computed(() => (chosen.value ? `${chosen.value.name}!` : 'none'));
  async function load(id) {
    loads.value++;
    chosen.value = await later(items[id - 1] ?? null);
  }
  return { chosen, loads, label, load };
});
