// SPDX-License-Identifier: MIT
// node:querystring
'use strict';
const escape = (text) => encodeURIComponent(native.idl.usv(text));
function unescape(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return native.load('buffer.js').Buffer.from(native.formDecode(text.replace(/\+/g, '%2B'))).toString();
    }
}
const primitive = (value) => typeof value === 'string' ? value
    : typeof value === 'number' && Number.isFinite(value) || typeof value === 'bigint' || typeof value === 'boolean'
        ? `${value}` : '';
function stringify(object, separator = '&', equals = '=', options = undefined) {
    const encode = options?.encodeURIComponent ?? exports.escape;
    if (object === null || typeof object !== 'object')
        return '';
    return Object.keys(object).flatMap((key) => {
        const values = Array.isArray(object[key]) ? object[key] : [object[key]];
        return values.map((value) => encode(key) + (equals || '=') + encode(primitive(value)));
    }).join(separator || '&');
}
function parse(text, separator = '&', equals = '=', options = undefined) {
    const result = Object.create(null);
    if (typeof text !== 'string' || text === '')
        return result;
    const decode = options?.decodeURIComponent ?? exports.unescape;
    const sign = equals || '=';
    const max = options?.maxKeys ?? 1000;
    const pieces = text.split(separator || '&');
    for (const piece of max > 0 ? pieces.slice(0, max) : pieces) {
        if (piece === '')
            continue;
        const at = piece.indexOf(sign);
        const [name, value] = [at === -1 ? piece : piece.slice(0, at), at === -1 ? '' : piece.slice(at + sign.length)]
            .map((part) => decode(part.replace(/\+/g, ' ')));
        if (!(name in result))
            result[name] = value;
        else if (Array.isArray(result[name]))
            result[name].push(value);
        else
            result[name] = [result[name], value];
    }
    return result;
}
const exports = { parse, stringify, escape, unescape, decode: parse, encode: stringify };
exports.default = exports;
return exports;
