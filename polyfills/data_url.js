// SPDX-License-Identifier: MIT
// Fetch Standard, section 6, data: URLs, and what of MIME Sniffing, section 4, these and Body.blob() need. Loaded when one
// is asked for: bundlers write small WebAssembly modules and images as data: URLs, and fetch() them.
'use strict';
const { base64Decode, utf8Encode } = native;
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const quotable = /^[\t\x20-\x7e\x80-\xff]*$/;
const { strip } = native.idl;

// MIME Sniffing, section 4.4: a quoted parameter value -> [value, where it ends]
function quoted(text, at) {
    let value = '';
    for (let i = at + 1; i < text.length; i++) {
        if (text[i] === '"')
            return [value, i + 1];
        if (text[i] === '\\' && i + 1 < text.length)
            i++;
        value += text[i];
    }
    return [value, text.length];
}
// One parameter from `at`, the place behind a ';' -> [name, value or null, where the next begins]
function parameter(text, at) {
    const end = text.slice(at).search(/[;=]/);
    const stop = end === -1 ? text.length : at + end;
    const name = text.slice(at, stop).replace(/^[\t\n\r ]+/, '').toLowerCase();
    if (text[stop] !== '=')
        return [name, null, stop + 1];
    if (text[stop + 1] === '"') {
        const [value, next] = quoted(text, stop + 1);
        const semicolon = text.indexOf(';', next);
        return [name, value, semicolon === -1 ? text.length : semicolon + 1];
    }
    const semicolon = text.indexOf(';', stop);
    const last = semicolon === -1 ? text.length : semicolon;
    // from the '=' on: blanks before the value are its own
    return [name, strip(text.slice(stop, last)).slice(1) || null, last + 1];
}
// Section 4.4 and 4.5: the type as it is written out again; null: it is none
function cleanType(input) {
    const text = strip(input);
    const semicolon = text.indexOf(';');
    const essence = strip(semicolon === -1 ? text : text.slice(0, semicolon));
    const slash = essence.indexOf('/');
    if (slash === -1 || !token.test(essence.slice(0, slash)) || !token.test(essence.slice(slash + 1)))
        return null;
    const seen = new Map();
    for (let at = semicolon === -1 ? text.length : semicolon + 1; at < text.length;) {
        const [name, value, next] = parameter(text, at);
        if (token.test(name) && value !== null && quotable.test(value) && !seen.has(name))
            seen.set(name, value);
        at = next;
    }
    return essence.toLowerCase() + [...seen].map(([name, value]) =>
        `;${name}=${token.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`}`).join('');
}

// URL Standard, section 1.3, percent-decode
function percentDecoded(text) {
    const bytes = utf8Encode(text);
    let to = 0;
    for (let i = 0; i < bytes.length; i++, to++) {
        const hex = bytes[i] === 37 ? String.fromCharCode(bytes[i + 1], bytes[i + 2]) : '';
        if (/^[0-9A-Fa-f]{2}$/.test(hex)) {
            bytes[to] = parseInt(hex, 16);
            i += 2;
        } else {
            bytes[to] = bytes[i];
        }
    }
    return bytes.slice(0, to);
}
// null: it is no base64
function fromBase64(text) {
    return base64Decode(text.includes('%') ? native.utf8Decode(percentDecoded(text), false, true) : text, true) ?? null;
}
return {
    cleanType,
    // Section 6, "data: URL processor": of a URL as it is serialized -> {type, bytes}; null: it has no comma, or its base64 is wrong
    read(href) {
        const hash = href.indexOf('#');
        const text = href.slice(5, hash === -1 ? undefined : hash);
        const comma = text.indexOf(',');
        if (comma === -1)
            return null;
        let type = strip(text.slice(0, comma)); // of a URL: spaces are all there can be
        const mark = /; *base64$/i.exec(type);
        const bytes = mark === null ? percentDecoded(text.slice(comma + 1)) : fromBase64(text.slice(comma + 1));
        if (bytes === null)
            return null;
        if (mark !== null)
            type = type.slice(0, mark.index);
        return { type: cleanType(type.startsWith(';') ? 'text/plain' + type : type) ?? 'text/plain;charset=US-ASCII', bytes };
    },
};
