// SPDX-License-Identifier: MIT
// Which globals load which file when they are first read (worker/js_lazy.cc). Until then each is one property.
'use strict';
native.lazy('streams.js', ['ReadableStream', 'ReadableStreamDefaultReader', 'ReadableStreamBYOBReader',
    'ReadableStreamDefaultController', 'ReadableByteStreamController', 'ReadableStreamBYOBRequest',
    'WritableStream', 'WritableStreamDefaultWriter', 'WritableStreamDefaultController', 'TransformStream',
    'TransformStreamDefaultController', 'ByteLengthQueuingStrategy', 'CountQueuingStrategy']);
native.lazy('blob.js', ['Blob', 'File']);
native.lazy('form_data.js', ['FormData']);
