// SPDX-License-Identifier: MIT
// render.browser_globals: where the engine was made with them, the stand-ins of browser_stubs.js; else nothing at all, but for
// a bundle that sets globalThis.location itself, as preact-iso's locationStub() does for each page: of renders that are
// open at once each then has its own, and one that sets none sees what the bundle set when it loaded.
'use strict';
{
    const { currentSerial, isOpen } = native;

    // make(serial) at most once a render; serial is undefined while none runs. States go when their renders have ended and
    // another one asks.
    native.perRender = (make) => {
        const states = new Map();
        let loading;
        return () => {
            const serial = currentSerial();
            if (serial === undefined)
                return loading ??= make(serial);
            let state = states.get(serial);
            if (state === undefined) {
                for (const known of states.keys())
                    if (!isOpen(known))
                        states.delete(known);
                state = make(serial);
                states.set(serial, state);
            }
            return state;
        };
    };

    // A global that assignments change for their own render alone.
    native.defineOwn = (name, initial) => {
        let loaded = initial; // as the bundle set it at its top level
        const own = native.perRender(() => ({ isSet: false, value: undefined }));
        Object.defineProperty(globalThis, name, {
            configurable: true, enumerable: false,
            get() {
                const { isSet, value } = own();
                return isSet ? value : loaded;
            },
            set(value) {
                if (currentSerial() === undefined)
                    loaded = value;
                else
                    Object.assign(own(), { isSet: true, value });
            },
        });
    };
    native.whenConfigured(() => {
        if (native.browserGlobals)
            native.load('browser_stubs.js');
        else if (native.ownLocation)
            native.defineOwn('location', undefined);
    });
}
