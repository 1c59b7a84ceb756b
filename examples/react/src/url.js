// SPDX-License-Identifier: MIT
// Path and query by hand: a URL class is more than these pages need.

function decode(text) {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text; // a stray % is shown as it came
  }
}

/** '/products?q=tea' -> { path: '/products', query: { q: 'tea' } }; the last of equal names wins. */
export function parseUrl(url) {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = Object.create(null);

  if (mark >= 0) {
    for (const pair of url.slice(mark + 1).split('&')) {
      if (pair === '') continue;
      const equals = pair.indexOf('=');
      const name = equals < 0 ? pair : pair.slice(0, equals);
      query[decode(name)] = equals < 0 ? '' : decode(pair.slice(equals + 1));
    }
  }
  return { path: path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path, query };
}
