// SPDX-License-Identifier: MIT
// Which globals load which file when they are first read (worker/js_lazy.cc). Until then each is one property.
'use strict';
native.lazyNames = { __proto__: null }; // to read one would load it: isolation.js leaves them alone
{
    const { lazy } = native;
    native.lazy = (file, names) => {
        for (const name of names)
            native.lazyNames[name] = true;
        lazy.call(native, file, names);
    };
}
native.lazy('streams.js', ['ReadableStream', 'ReadableStreamDefaultReader', 'ReadableStreamBYOBReader',
    'ReadableStreamDefaultController', 'ReadableByteStreamController', 'ReadableStreamBYOBRequest',
    'WritableStream', 'WritableStreamDefaultWriter', 'WritableStreamDefaultController', 'TransformStream',
    'TransformStreamDefaultController', 'ByteLengthQueuingStrategy', 'CountQueuingStrategy']);
native.lazy('blob.js', ['Blob', 'File']);
native.lazy('form_data.js', ['FormData']);
native.lazy('encoding_streams.js', ['TextDecoderStream', 'TextEncoderStream']);
native.lazy('compression.js', ['CompressionStream', 'DecompressionStream']);
native.lazy('subtle.js', ['CryptoKey', 'SubtleCrypto']);
native.lazy('npm_urlpattern.js', ['URLPattern']);
native.lazy('caches.js', ['caches', 'Cache', 'CacheStorage']);
native.lazy('buffer.js', ['Buffer']);
