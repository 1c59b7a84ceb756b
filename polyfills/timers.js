// SPDX-License-Identifier: MIT
// HTML, section 8.6, Timers, and section 8.7, queueMicrotask; setImmediate as in Node.js. All native:
// they belong to the render that set them and end with it.
'use strict';
for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval',
    'clearImmediate', 'queueMicrotask'])
    native.define(name, native[name]);
