// SPDX-License-Identifier: MIT
// HTML, section 8.6, Timers, and section 8.7, queueMicrotask; setImmediate as in Node.js. All native:
// they belong to the render that set them and end with it.
'use strict';
for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval',
    'clearImmediate']) {
    Object.defineProperty(native[name], 'length', { value: 1, configurable: true });
    native.define(name, native[name]);
}
{
    const { queueMicrotask: queue, frame, setFrame } = native;
    // V8 brings the frame (worker/js_frame.cc) back for reactions of promises, not for these.
    const { queueMicrotask } = {
        queueMicrotask(callback) {
            if (typeof callback !== 'function')
                throw new TypeError('The argument of queueMicrotask must be a function');
            const own = frame();
            queue(() => {
                setFrame(own);
                callback();
            });
        },
    };
    native.define('queueMicrotask', queueMicrotask);
}
