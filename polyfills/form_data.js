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
    const boundary = '----ssrd' + crypto.randomUUID().replaceAll('-', '');
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
function parameter(header, name) {
    const found = new RegExp(`(?:^|;)\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]*))`, 'i').exec(header);
    return found === null ? undefined : found[1] ?? found[2];
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
// Fetch, section 5.3, "multipart/form-data parser"; throws where the body is not one
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
        const headEnd = find(bytes, blank, at);
        if (headEnd === -1)
            fail();
        const bodyEnd = find(bytes, delimiter, headEnd + 2);
        if (bodyEnd === -1)
            fail();
        const head = decoder.decode(bytes.subarray(at + 2, Math.max(headEnd, at + 2)));
        const disposition = /^content-disposition:[ \t]*form-data[ \t]*(;.*)$/im.exec(head)?.[1];
        const name = disposition === undefined ? undefined : parameter(disposition, 'name');
        if (name === undefined)
            fail();
        const filename = parameter(disposition, 'filename');
        const content = bytes.subarray(Math.min(headEnd + 4, bodyEnd), bodyEnd);
        if (filename === undefined)
            form.append(unquote(name), decoder.decode(content));
        else
            form.append(unquote(name), new File([content], unquote(filename),
                { type: /^content-type:[ \t]*([^\r\n]*)/im.exec(head)?.[1].trim() ?? 'text/plain' }));
        at = bodyEnd + delimiter.length;
    }
}
native.decodeFormData = (bytes, type) => {
    const essence = type?.split(';', 1)[0].trim().toLowerCase();
    if (essence === 'multipart/form-data') {
        const boundary = parameter(type.slice(type.indexOf(';')), 'boundary');
        if (boundary)
            return parseMultipart(bytes, boundary);
    }
    if (essence === 'application/x-www-form-urlencoded') {
        const form = new FormData();
        for (const [name, value] of new URLSearchParams(decoder.decode(bytes)))
            form.append(name, value);
        return form;
    }
    throw new TypeError(`formData() can't read a body of type ${type ?? '(none)'}`);
};
return { FormData };
