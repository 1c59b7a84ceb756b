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
    const constants = ['INDEX_SIZE', 'DOMSTRING_SIZE', 'HIERARCHY_REQUEST', 'WRONG_DOCUMENT', 'INVALID_CHARACTER',
        'NO_DATA_ALLOWED', 'NO_MODIFICATION_ALLOWED', 'NOT_FOUND', 'NOT_SUPPORTED', 'INUSE_ATTRIBUTE',
        'INVALID_STATE', 'SYNTAX', 'INVALID_MODIFICATION', 'NAMESPACE', 'INVALID_ACCESS', 'VALIDATION',
        'TYPE_MISMATCH', 'SECURITY', 'NETWORK', 'ABORT', 'URL_MISMATCH', 'QUOTA_EXCEEDED', 'TIMEOUT',
        'INVALID_NODE_TYPE', 'DATA_CLONE'];
    constants.forEach((name, i) => {
        const value = { value: i + 1, enumerable: true };
        Object.defineProperty(DOMException, name + '_ERR', value);
        Object.defineProperty(DOMException.prototype, name + '_ERR', value);
    });
    native.define('DOMException', DOMException);
    native.dataCloneError = (message) => new DOMException(message, 'DataCloneError');
}
