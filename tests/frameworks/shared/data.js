// SPDX-License-Identifier: MIT
// What all applications of this folder show: strings that break careless escaping, and a long list.

export const hostile = [
  `<script>alert('1')</script>`,
  `</script><!-- --> ]]> </textarea></title>`,
  `"double" 'single' \`tick\` & &amp; &#39; \${x} \\ /`,
  'Ä ö ß é e\u0301 \u202e right to left \u202c \u00a0 \ufeff',
  '\u{1fad6} \u{1f469}\u200d\u{1f4bb} 漢字 עברית',
  'line \u2028 paragraph \u2029 controls \x01 \x7f \x1b',
  'javascript:alert(1)',
  'lone \ud83e high, lone \udd96 low',
];

export const items = Array.from({ length: 500 }, (_, i) => ({
  id: i + 1,
  name: `Item ${i + 1} ${hostile[i % 7]}`,
  price: ((i * 7919) % 10007) / 100,
  tags: ['a<b', 'c&d', `"${i}"`].slice(0, i % 4),
}));

// What a page that waits, waits for: so many turns of the event loop, not milliseconds, so that what comes
// before what does not depend on how busy the machine is.
export async function later(value, turns = 5) {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setTimeout(resolve));
  return value;
}
