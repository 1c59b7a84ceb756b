// SPDX-License-Identifier: MIT
// HTML, section 8.3, Base64 utility methods; the work is native.
'use strict';
{
    const { base64Encode, base64Decode } = native;
    const { DOMException } = native.own;
    const { need } = native.idl;
    const { atob, btoa } = {
        atob(data) {
            need(1, arguments.length, 'atob');
            const text = base64Decode(`${data}`);
            if (text === undefined)
                throw new DOMException('The string is not correctly encoded', 'InvalidCharacterError');
            return text;
        },
        btoa(data) {
            need(1, arguments.length, 'btoa');
            const text = base64Encode(`${data}`);
            if (text === undefined)
                throw new DOMException('The string holds a character above U+00FF', 'InvalidCharacterError');
            return text;
        },
    };
    native.define('atob', atob);
    native.define('btoa', btoa);
}
