// SPDX-License-Identifier: MIT
import { defineStore } from 'pinia';
import { ref } from 'vue';

const products = ['Lamp', 'Chair', 'Shelf'].map((name, i) => ({ id: i + 1, name, cents: 4900 + 100 * i }));

export const useShop = defineStore('shop', () => {
  const product = ref(null);
  const basket = ref(0);
  async function load(id) {
    if (product.value?.id !== id) product.value = products.find((one) => one.id === id) ?? null;
  }
  return { product, basket, load };
});
