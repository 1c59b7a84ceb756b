/* SPDX-License-Identifier: MIT */
/*
 * fuzz_form_data.c - bodies that hold forms, as request.formData() reads them (polyfills/form_data.js). Beyond not throwing
 * anything but a TypeError: urlencoded ones are what their parser reads (URL, section 5.1), written here once more; what a form says survives being sent again, line
 * ends aside, and what it says then stays.
 *
 * The first byte says of what type the body is: 0: urlencoded; 1: multipart, its boundary up to the first line end; else the
 * whole type is that line.
 */
#include "tests/fuzz/js_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const char bundle[] =
    "'use strict';"
    "const lines = (text) => text.replace(/\\r\\n?|\\n/g, '\\r\\n');"
    "const latin1 = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');"
    "const decoded = (text) => { const out = []; for (let i = 0; i < text.length; i++) {"
    "  const hex = /^%([0-9a-f]{2})/i.exec(text.slice(i, i + 3));"
    "  out.push(hex ? parseInt(hex[1], 16) : text[i] === '+' ? 32 : text.charCodeAt(i)); i += hex "
    "? 2 : 0; }"
    "  return new TextDecoder('utf-8', {ignoreBOM: true}).decode(Uint8Array.from(out)); };"
    "const urlencoded = (bytes) => latin1(bytes).split('&').filter(Boolean).map((pair) => {"
    "  const at = (pair + '=').indexOf('='); return [decoded(pair.slice(0, at)), "
    "decoded(pair.slice(at + 1))]; });"
    "const told = async (form) => Promise.all([...form].map(async ([name, value]) => typeof value "
    "  === 'string' ? [name, value] : [name, value.name, value.type, latin1(await "
    "value.bytes())]));"
    "const must = (right, what) => { if (!right) throw new Error(what); };"
    "const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);"
    "const reread = async (form) => new Response(form).formData();"
    "globalThis.renderPage = async (url, data, request) => {"
    "  const type = request.headers.get('content-type') ?? '';"
    "  const bytes = await request.clone().bytes();"
    "  let form;"
    "  try { form = await request.formData(); } catch (error) {"
    "    must(error instanceof TypeError, String(error)); return 'refused ' + "
    "error.message.length; }"
    "  const first = await told(form);"
    "  if (/^\\s*application\\/x-www-form-urlencoded/i.test(type))"
    "    must(same(first, urlencoded(bytes)), 'not as it is written');"
    "  const sent = await reread(form), second = await told(sent), third = await told(await "
    "reread(sent));"
    "  must(same(second, third), 'does not stay');"
    "  must(first.length === second.length, 'entries');"
    "  first.forEach((a, i) => { const b = second[i];"
    "    must(lines(a[0]) === b[0] && a.length === b.length, 'name');"
    "    must(a.length === 2 ? lines(a[1]) === b[1] : a[1] === b[1]"
    "      && (a[2] || 'application/octet-stream') === b[2] && a[3] === b[3], 'value'); });"
    "  return first.slice(0, 4).map((e) => e.map((s) => Math.min(s.length, 4)).join('')).join()"
    "    + '/' + Math.min(first.length, 9);"
    "};";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char urlencoded[] = "application/x-www-form-urlencoded";
    static const char multipart[] = "multipart/form-data; boundary=";
    char type[256] = "";
    const uint8_t *end;
    size_t used = 0;

    if (bytes < 1)
        return 0;
    js_body_open(bundle);
    if (data[0] == 0) {
        js_body_render("/", (struct span){urlencoded, sizeof urlencoded - 1}, data + 1, bytes - 1);
    } else {
        end = memchr(data + 1, '\n', bytes - 1);
        if (!end)
            return 0;
        if (data[0] == 1)
            used = (size_t)snprintf(type, sizeof type, "%s", multipart);
        for (const uint8_t *at = data + 1; at < end && used < sizeof type; at++)
            if (*at >= ' ' && *at != 0x7f) /* what a request's field may have */
                type[used++] = (char)*at;
        js_body_render("/", (struct span){type, used}, end + 1, (size_t)(data + bytes - end) - 1);
    }
    js_body_note(js_body.page, js_body.bytes);
    return 0;
}
