// SPDX-License-Identifier: MIT
// Web IDL, section 4.3, DOMException.
'use strict';
{
    const codes = {
        IndexSizeError: 1, HierarchyRequestError: 3, WrongDocumentError: 4, InvalidCharacterError: 5,
        NoModificationAllowedError: 7, NotFoundError: 8, NotSupportedError: 9,
        InUseAttributeError: 10, InvalidStateError: 11, SyntaxError: 12, InvalidModificationError: 13,
        NamespaceError: 14, InvalidAccessError: 15, TypeMismatchError: 17, SecurityError: 18,
        NetworkError: 19, AbortError: 20, URLMismatchError: 21, QuotaExceededError: 22,
        TimeoutError: 23, InvalidNodeTypeError: 24, DataCloneError: 25,
    };

    class DOMException {
        #name;
        #message;
        constructor(message = '', name = 'Error') {
            this.#message = String(message);
            this.#name = String(name);
            Error.captureStackTrace(this, DOMException);
        }
        get name() { return this.#name; }
        get message() { return this.#message; }
        get code() { return codes[this.#name] ?? 0; }
    }
    Object.setPrototypeOf(DOMException.prototype, Error.prototype);
    native.tag(DOMException, 'DOMException');
    for (const [name, code] of Object.entries(codes)) {
        // IndexSizeError -> INDEX_SIZE_ERR
        const constant = name.replace('URL', 'Url').replace(/Error$/, 'Err')
            .replace(/(?<=.)(?=[A-Z])/g, '_').toUpperCase();
        const value = { value: code, enumerable: true };
        Object.defineProperty(DOMException, constant, value);
        Object.defineProperty(DOMException.prototype, constant, value);
    }
    native.define('DOMException', DOMException);
    native.dataCloneError = (message) => new DOMException(message, 'DataCloneError');
}
