// SPDX-License-Identifier: MIT
// HTML, section 8.3, Base64 utility methods; the work is native.
'use strict';
{
    const { base64Encode, base64Decode } = native;
    const { DOMException } = native.own;
    const { atob, btoa } = {
        atob(data) {
            const text = base64Decode(String(data));
            if (text === undefined)
                throw new DOMException('The string is not correctly encoded', 'InvalidCharacterError');
            return text;
        },
        btoa(data) {
            const text = base64Encode(String(data));
            if (text === undefined)
                throw new DOMException('The string holds a character above U+00FF', 'InvalidCharacterError');
            return text;
        },
    };
    native.define('atob', atob);
    native.define('btoa', btoa);
}
