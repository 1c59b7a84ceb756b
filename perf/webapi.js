// SPDX-License-Identifier: MIT
// The cases of perf/webapi: as a bundle of ssrd (/?rounds=N) and as a script of Node.js (argument N). JSON of us a call, the
// best of N rounds after one to warm up.
'use strict';
{
    const text18k = '<p class="item">price</p>\n'.repeat(700).slice(0, 18000 - 1) + '\u20ac';
    const bytes18k = new TextEncoder().encode(text18k);
    const bytes1k = new Uint8Array(1024).map((_, i) => i * 7);
    const latin1k = String.fromCharCode(...bytes1k);
    const base1k = btoa(latin1k);
    const buffer1k = Buffer.from(bytes1k);
    const encoder = new TextEncoder();
    const decoder = new TextDecoder();
    const chunk = new Uint8Array(64);
    const state = { user: { id: 1, name: 'Ada', tags: ['a', 'b', 'c'] }, list: Array.from({ length: 20 },
        (_, id) => ({ id, price: id * 1.5, title: 'item ' + id, on: id % 2 === 0 })) };

    async function pump() {
        let left = 100;
        const stream = new ReadableStream({
            pull(controller) {
                controller.enqueue(chunk);
                if (--left === 0)
                    controller.close();
            },
        });
        const reader = stream.getReader();
        while (!(await reader.read()).done);
    }
    const cases = { // [calls, function]
        'new URL': [20000, () => new URL('https://example.com/shop/items?page=2&sort=price#top')],
        'new URL, base': [20000, () => new URL('../items?page=2', 'https://example.com/shop/list/')],
        'URLSearchParams': [20000, () => new URLSearchParams('a=1&b=two&c=%20x').get('c')],
        'Headers': [20000, () => {
            const headers = new Headers({ 'content-type': 'text/html', 'x-a': '1' });
            headers.append('x-b', '2');
            return headers.get('x-a');
        }],
        'Headers, walked': [20000, () => [...new Headers({ b: '1', a: '2' })].length],
        'Request': [5000, () => new Request('https://example.com/', { method: 'POST', body: 'x' }).method],
        'Response.text': [5000, () => new Response('hello world').text()],
        'TextEncoder 18 kB': [1000, () => encoder.encode(text18k)],
        'TextDecoder 18 kB': [1000, () => decoder.decode(bytes18k)],
        'btoa 1 kB': [5000, () => btoa(latin1k)],
        'atob 1 kB': [5000, () => atob(base1k)],
        'Buffer to base64, 1 kB': [5000, () => buffer1k.toString('base64')],
        'Buffer of base64, 1 kB': [5000, () => Buffer.from(base1k, 'base64')],
        'structuredClone': [2000, () => structuredClone(state)],
        'sha-256 1 kB': [2000, () => crypto.subtle.digest('SHA-256', bytes1k)],
        'AbortController': [5000, () => new AbortController().abort()],
        'Event': [5000, () => new EventTarget().dispatchEvent(new Event('x'))],
        'stream pump, 100 chunks': [100, pump],
    };
    async function measure(rounds) {
        const best = {};
        for (const [name, [calls, run]] of Object.entries(cases)) {
            for (let round = 0; round <= rounds; round++) {
                const from = performance.now();
                for (let i = 0; i < calls; i++) {
                    const result = run();
                    if (result instanceof Promise)
                        await result;
                }
                const spentUs = (performance.now() - from) / calls * 1000;
                if (round !== 0)
                    best[name] = Math.min(spentUs, best[name] ?? spentUs);
            }
        }
        return best;
    }
    globalThis.renderPage = async (url) => ({
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(await measure(Number(/rounds=(\d+)/.exec(url)?.[1] ?? 0))),
    });
    if (typeof process === 'object' && process.versions?.node)
        measure(Number(process.argv[2] ?? 3)).then((best) => console.log(JSON.stringify(best)));
}
