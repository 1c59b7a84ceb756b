// SPDX-License-Identifier: MIT
// render.browser_globals: where the engine was made with them, the stand-ins of browser_stubs.js; else nothing at all.
'use strict';
if (native.browserGlobals) {
    const { begin } = native.load('browser_stubs.js');
    const { request } = native;
    native.request = (serial) => {
        begin(serial);
        return request(serial);
    };
}
