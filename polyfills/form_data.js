// SPDX-License-Identifier: MIT
// XMLHttpRequest Standard, section 4.3, FormData; and the two forms of a body that hold one: multipart/form-data (RFC
// 7578, HTML section 4.10.21.8) and application/x-www-form-urlencoded (URL, section 5).
'use strict';
const { usv, need, iterable } = native.idl;
const { Blob, File } = native.load('blob.js');
const { TextDecoder, TextEncoder, URLSearchParams } = native.own;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

// "create an entry"
function entry(name, value, filename) {
    if (!native.isBlob(value))
        return [usv(name), usv(value)];
    if (!native.isFile(value))
        return [usv(name), new File([value], filename === undefined ? 'blob' : usv(filename), { type: value.type })];
    return [usv(name), filename === undefined ? value
        : new File([value], usv(filename), { type: value.type, lastModified: value.lastModified })];
}

class FormData {
    #entries = [];
    constructor(form = undefined) {
        if (form !== undefined)
            throw new TypeError('FormData of a form: there are no forms here');
    }
    static {
        native.isFormData = (value) => typeof value === 'object' && value !== null && #entries in value;
    }
    append(name, value, filename = undefined) {
        need(2, arguments.length, 'FormData.append');
        if (arguments.length > 2 && !native.isBlob(value))
            throw new TypeError('FormData.append: a file name needs a Blob');
        this.#entries.push(entry(name, value, filename));
    }
    delete(name) {
        need(1, arguments.length, 'FormData.delete');
        const wanted = usv(name);
        this.#entries = this.#entries.filter(([own]) => own !== wanted);
    }
    get(name) {
        need(1, arguments.length, 'FormData.get');
        const wanted = usv(name);
        const found = this.#entries.find(([own]) => own === wanted);
        return found === undefined ? null : found[1];
    }
    getAll(name) {
        need(1, arguments.length, 'FormData.getAll');
        const wanted = usv(name);
        return this.#entries.filter(([own]) => own === wanted).map(([, value]) => value);
    }
    has(name) {
        need(1, arguments.length, 'FormData.has');
        const wanted = usv(name);
        return this.#entries.some(([own]) => own === wanted);
    }
    set(name, value, filename = undefined) {
        need(2, arguments.length, 'FormData.set');
        if (arguments.length > 2 && !native.isBlob(value))
            throw new TypeError('FormData.set: a file name needs a Blob');
        const made = entry(name, value, filename);
        const at = this.#entries.findIndex(([own]) => own === made[0]);
        if (at === -1) {
            this.#entries.push(made);
            return;
        }
        this.#entries = this.#entries.filter(([own], i) => own !== made[0] || i === at);
        this.#entries[at] = made;
    }
    static {
        iterable(FormData, 'FormData', (form) => form.#entries);
    }
}
native.tag(FormData, 'FormData');

// HTML, section 4.10.21.8, "multipart/form-data encoding algorithm"
native.encodeFormData = (form) => {
    const boundary = '----ssrd' + native.randomUUID().replaceAll('-', '');
    const lines = (text) => text.replace(/\r\n?|\n/g, '\r\n');
    const quoted = (text) => text.replace(/\n/g, '%0A').replace(/\r/g, '%0D').replace(/"/g, '%22');
    const parts = [];
    for (const [name, value] of form) {
        const head = `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(lines(name))}"`;
        if (typeof value === 'string')
            parts.push(`${head}\r\n\r\n${lines(value)}\r\n`);
        else
            parts.push(`${head}; filename="${quoted(value.name)}"\r\nContent-Type: ` +
                `${value.type || 'application/octet-stream'}\r\n\r\n`, value, '\r\n');
    }
    parts.push(`--${boundary}--\r\n`);
    return [native.blobBytes(new Blob(parts)), 'multipart/form-data; boundary=' + boundary];
};

const unquote = (text) => text.replace(/%0A/gi, '\n').replace(/%0D/gi, '\r').replace(/%22/g, '"');
// Parameters from the place behind a first word, each read where the one before it ends, so that none is found within
// the value of another. A quote ends at the next one: browsers write %22 for one within, and "\" for itself (HTML,
// section 4.10.21.8). The first of a name counts; undefined: this is no list of parameters.
const PARAMETER = /[ \t]*;[ \t]*(?:([^\s;="]+)[ \t]*=[ \t]*(?:"([^"\r\n]*)"|([^\s;"]*)))?/y;
function parameters(text, from) {
    const found = new Map();
    PARAMETER.lastIndex = from;
    for (let at = from; !/^[ \t]*$/.test(text.slice(at)); at = PARAMETER.lastIndex) {
        const match = PARAMETER.exec(text);
        if (match === null)
            return undefined;
        const name = match[1]?.toLowerCase();
        if (name !== undefined && !found.has(name))
            found.set(name, match[2] ?? match[3]);
    }
    return found;
}
// Of the lines before a part's content those that are known; undefined: these are no header fields.
function fieldsOf(head) {
    const known = { disposition: undefined, type: undefined };
    for (const line of head.split('\r\n')) {
        const [, name, value] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n]*)$/.exec(line) ?? [];
        if (name === undefined)
            return undefined;
        if (name.toLowerCase() === 'content-disposition')
            known.disposition ??= value;
        if (name.toLowerCase() === 'content-type')
            known.type ??= value.trimEnd();
    }
    return known;
}
function find(bytes, what, from) {
    for (let at = bytes.indexOf(what[0], from); at !== -1 && at + what.length <= bytes.length;
        at = bytes.indexOf(what[0], at + 1)) {
        let same = 1;
        while (same < what.length && bytes[at + same] === what[same])
            same++;
        if (same === what.length)
            return at;
    }
    return -1;
}
// Fetch, section 5.3, "multipart/form-data parser"; throws where the body is not one. More is taken than the standard has
// (other parameters, in any order, without quotes; text before and behind), as long as it can be read in one way only.
function parseMultipart(bytes, boundary) {
    const form = new FormData();
    const fail = () => { throw new TypeError('The body is not multipart/form-data'); };
    const dashed = encoder.encode('--' + boundary);
    const delimiter = encoder.encode('\r\n--' + boundary);
    const blank = encoder.encode('\r\n\r\n');
    let at = find(bytes, dashed, 0);
    if (at !== 0 && !(at >= 2 && bytes[at - 1] === 10))
        fail();
    at += dashed.length;
    for (;;) {
        if (bytes[at] === 45 && bytes[at + 1] === 45)
            return form;
        if (bytes[at] !== 13 || bytes[at + 1] !== 10)
            fail();
        const headEnd = find(bytes, blank, at + 2);
        const bodyEnd = headEnd === -1 ? -1 : find(bytes, delimiter, headEnd + 4);
        if (bodyEnd === -1)
            fail();
        const { disposition, type } = fieldsOf(decoder.decode(bytes.subarray(at + 2, headEnd))) ?? fail();
        const word = /^form-data(?=[ \t]*(?:;|$))/i.exec(disposition ?? '');
        const given = word === null ? undefined : parameters(disposition, word[0].length);
        if (!given?.has('name'))
            fail();
        const content = bytes.subarray(headEnd + 4, bodyEnd);
        if (given.has('filename'))
            form.append(unquote(given.get('name')), new File([content], unquote(given.get('filename')), { type: type ?? 'text/plain' }));
        else
            form.append(unquote(given.get('name')), decoder.decode(content));
        at = bodyEnd + delimiter.length;
    }
}
// The parser of URL, section 5.1, has bytes, not text: one outside of ASCII is as good as percent-encoded.
function asciiOf(bytes) {
    const text = decoder.decode(bytes);
    if (/^[\0-\x7f]*$/.test(text))
        return text;
    let latin1 = '';
    for (let at = 0; at < bytes.length; at += 8192)
        latin1 += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return latin1.replace(/[\x80-\xff]/g, (letter) => '%' + letter.charCodeAt(0).toString(16));
}
native.decodeFormData = (bytes, type) => {
    const essence = type?.split(';', 1)[0].trim().toLowerCase();
    if (essence === 'multipart/form-data') {
        const semicolon = type.indexOf(';');
        const boundary = semicolon === -1 ? undefined : parameters(type, semicolon)?.get('boundary');
        // RFC 2046, section 5.1.1, has 70 at most. Looking for longer ones could cost their length for each byte.
        if (boundary && boundary.length <= 70)
            return parseMultipart(bytes, boundary);
    }
    if (essence === 'application/x-www-form-urlencoded') {
        const form = new FormData();
        // "&": the constructor would take a "?" in front away
        for (const [name, value] of new URLSearchParams('&' + asciiOf(bytes)))
            form.append(name, value);
        return form;
    }
    throw new TypeError(`formData() can't read a body of type ${type ?? '(none)'}`);
};
return { FormData };
