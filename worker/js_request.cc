/* SPDX-License-Identifier: MIT */
/*
 * js_request.cc - the request of an open render as polyfills/request.js asks for it, bit by bit: a
 * Request that nobody looks at costs one small object. Each read of a header is noted, because a
 * page that looked at a cookie must not be shared (README.md, "What a page's answer tells"). The serial keeps a
 * Request that outlived its render from reading another's. Values are bytes: each becomes one
 * character (Fetch, "isomorphic decode").
 */
#include "worker/js_internal.h"

#include <string.h>

#define IS(header, literal)                                                                        \
    ((header).name_bytes == sizeof(literal) - 1 &&                                                 \
     memcmp((header).name, literal, sizeof(literal) - 1) == 0)

/* Who asks keeps its page to itself when the request is another render's: by a Request or Headers that the bundle has
 * kept. */
static void note_other(js *js, double serial)
{
    js_open *asks = js_current(js);

    if (asks && asks->serial && (double)asks->serial != serial)
        asks->read_other = true;
}

static js_open *current(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    js *js = js_of(info.GetIsolate());
    js_open *render = nullptr;

    if (info[0]->IsNumber()) {
        double serial = info[0].As<v8::Number>()->Value();
        render = js_find_open(js, serial);
        if (render)
            note_other(js, serial);
    }
    return render && !render->ending ? render : nullptr;
}

/* (serial): what was asked for before, and is in JavaScript since, is read. */
static void reads_of(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    if (info[0]->IsNumber())
        note_other(js_of(info.GetIsolate()), info[0].As<v8::Number>()->Value());
}

static void note(js_open *render, const std::string &name)
{
    if (name == "cookie") {
        render->read_cookie = true;
        return;
    }
    if (name == "authorization") {
        render->read_authorization = true;
        return;
    }
    for (const js_header &known : render->read_names)
        if (known.name_bytes == name.size() && memcmp(known.name, name.data(), name.size()) == 0)
            return;
    render->read_names.push_back(
        {render->read_text.keep(name.data(), name.size()), name.size(), "", 0});
}

/* () -> ssr.nonce. "" where a part of the page is out already, and with it the policy that would have to name it. */
static void nonce(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    js *js = js_of(info.GetIsolate());
    js_open *render = js_current(js);
    const char *mark = js->options.nonce ? js->options.nonce : "";

    if (!render || !render->serial)
        js->nonce_for_all = true;
    else if ((render->parted && !render->read_nonce) || render->request.call != JS_CALL_PAGE)
        mark = "";
    else
        render->read_nonce = true;
    js->nonce_seen = js->nonce_seen || *mark;
    info.GetReturnValue().Set(js_string(info.GetIsolate(), mark, strlen(mark)));
}

static void url(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    js_open *render = current(info);

    if (!render)
        return;
    std::string text(render->request.origin, render->request.origin_bytes);
    text.append(render->request.url, render->request.url_bytes);
    info.GetReturnValue().Set(js_string(info.GetIsolate(), text.data(), text.size()));
}

static void method(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    js_open *render = current(info);

    if (render)
        info.GetReturnValue().Set(
            js_latin1(info.GetIsolate(), render->request.method, render->request.method_bytes));
}

/* (serial, lower-case name) -> value or null. Several of one name are joined. */
static void header_get(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    js_open *render = current(info);
    std::string value;
    bool found = false;

    info.GetReturnValue().SetNull();
    if (!render || !info[1]->IsString())
        return;
    std::string name = js_std_string(isolate, info[1]);
    note(render, name);
    for (size_t i = 0; i < render->request.header_count; i++) {
        const js_header *header = &render->request.headers[i];

        if (header->name_bytes != name.size() ||
            memcmp(header->name, name.data(), name.size()) != 0)
            continue;
        if (found)
            value += IS(*header, "cookie") ? "; " : ", ";
        value.append(header->value, header->value_bytes);
        found = true;
    }
    if (found)
        info.GetReturnValue().Set(js_latin1(isolate, value.data(), value.size()));
}

/* (serial) -> [name, value, name, value, ...] */
static void headers_all(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    js_open *render = current(info);
    std::vector<v8::Local<v8::Value>> flat;

    if (render) {
        render->read_all = true;
        for (size_t i = 0; i < render->request.header_count; i++) {
            const js_header *header = &render->request.headers[i];
            flat.push_back(js_latin1(isolate, header->name, header->name_bytes));
            flat.push_back(js_latin1(isolate, header->value, header->value_bytes));
        }
    }
    info.GetReturnValue().Set(v8::Array::New(isolate, flat.data(), flat.size()));
}

/* (serial) -> Uint8Array; undefined: there is none */
static void body(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    js_open *render = current(info);

    if (render && render->request.body_bytes)
        js_return_bytes(info, render->request.body, render->request.body_bytes);
}

/* (serial, AbortSignal): request.signal, made when somebody first asks; aborted by native.abort(). */
static void keep_signal(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    js_open *render = current(info);

    if (render && info[1]->IsObject())
        render->signal.Reset(info.GetIsolate(), info[1].As<v8::Object>());
}

/* (serial) -> the signal that was kept, or undefined */
static void kept_signal(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    js_open *render = current(info);

    if (render && !render->signal.IsEmpty())
        info.GetReturnValue().Set(render->signal);
}

static const js_native list[] = {
    {"requestUrl", url},           {"requestMethod", method},
    {"requestHeader", header_get}, {"requestHeaders", headers_all},
    {"requestBody", body},         {"keepSignal", keep_signal},
    {"keptSignal", kept_signal},   {"nonce", nonce},
    {"readsOf", reads_of},
};
const js_native_list js_request_natives = {list, sizeof list / sizeof list[0]};
