// SPDX-License-Identifier: MIT
// WebAssembly Web API, section 5: compileStreaming and instantiateStreaming. The module is compiled when all of it is there.
'use strict';
native.whenConfigured(() => { // a snapshot has no WebAssembly
    const { compile, instantiate } = WebAssembly;
    async function bytesOf(source) {
        const response = await source;
        if (native.responseState(response) === null)
            throw new TypeError('A Response, or a promise of one, is needed');
        if (!response.ok)
            throw new TypeError(`The response has status ${response.status}`);
        if (response.headers.get('content-type')?.trim().toLowerCase() !== 'application/wasm')
            throw new TypeError('The response must have the type application/wasm');
        return response.arrayBuffer();
    }
    const { compileStreaming, instantiateStreaming } = {
        async compileStreaming(source) { return compile(await bytesOf(source)); },
        async instantiateStreaming(source, imports = undefined) { return instantiate(await bytesOf(source), imports); },
    };
    for (const [name, value] of Object.entries({ compileStreaming, instantiateStreaming }))
        Object.defineProperty(WebAssembly, name, { value, writable: true, configurable: true, enumerable: true });
});
