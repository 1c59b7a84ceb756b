/* SPDX-License-Identifier: MIT */
/*
 * js_fragment.cc - ssr.cache: values to bytes and back. Strings are kept as V8 has them, a byte or two a
 * unit, so that most are copied and none is changed. What else is checked is in polyfills/ssr.js.
 */
#include "worker/js_internal.h"

#include <string.h>

typedef const v8::FunctionCallbackInfo<v8::Value> Info;

#define KEEP_BYTES (256 * 1024) /* of the buffer, from call to call */

static v8::Local<v8::String> wide_string(v8::Isolate *isolate, const void *data, size_t bytes)
{
    size_t count = bytes / sizeof(uint16_t);

    if (!count || count > (size_t)v8::String::kMaxLength)
        return v8::String::Empty(isolate);
    return v8::String::NewFromTwoByte(isolate, static_cast<const uint16_t *>(data),
                                      v8::NewStringType::kNormal, (int)count)
        .FromMaybe(v8::String::Empty(isolate));
}

static void return_value(Info &info, const js_fragment &found)
{
    v8::Isolate *isolate = info.GetIsolate();
    bool wide = found.kind == JS_FRAGMENT_UTF16 || found.kind == JS_FRAGMENT_JSON_UTF16;

    if (found.kind == JS_FRAGMENT_BYTES) {
        js_return_bytes(info, found.data, found.bytes);
        return;
    }
    v8::Local<v8::String> text = wide ? wide_string(isolate, found.data, found.bytes)
                                      : js_latin1(isolate, found.data, found.bytes);
    if (found.kind == JS_FRAGMENT_LATIN1 || found.kind == JS_FRAGMENT_UTF16) {
        info.GetReturnValue().Set(text);
        return;
    }
    v8::Local<v8::Value> value;
    if (v8::JSON::Parse(isolate->GetCurrentContext(), text).ToLocal(&value))
        info.GetReturnValue().Set(value);
}

/* A page may have the mark of nonces out of what another render has put there. */
static bool has_mark(const js *js, const js_fragment &found)
{
    const char *mark = js->options.nonce ? js->options.nonce : "";
    size_t count = strlen(mark);
    std::string wide;

    if (!count)
        return false;
    for (size_t i = 0; i < count; i++) {
        wide += mark[i];
        wide += '\0';
    }
    return memmem(found.data, found.bytes, mark, count) ||
           memmem(found.data, found.bytes, wide.data(), wide.size());
}

/* (key) -> value or undefined */
static void get(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    js *js = js_of(isolate);
    js_fragment found;

    if (!js->fragments || !info[0]->IsString())
        return;
    size_t bytes = js_to_utf8(isolate, info[0].As<v8::String>(), &js->fragment_key);
    if (!js->fragments->get(js->fragments->arg, js->fragment_key.data, bytes, &found))
        return;
    js->nonce_seen = js->nonce_seen || has_mark(js, found);
    return_value(info, found);
}

/* Points into js->fragment_data, or into the value's own memory: no JavaScript may run until it is
 * stored. */
static js_fragment fragment_of(js *js, v8::Local<v8::Value> value, bool is_json)
{
    if (!value->IsString()) {
        js_bytes bytes = js_bytes_of(value);
        return {JS_FRAGMENT_BYTES, bytes.data, bytes.count};
    }
    v8::Local<v8::String> text = value.As<v8::String>();
    size_t count = (size_t)text->Length();
    if (text->IsOneByte()) {
        js->fragment_data.reserve(count + 1);
        js_v8_write(js->isolate, text, reinterpret_cast<uint8_t *>(js->fragment_data.data));
        return {is_json ? JS_FRAGMENT_JSON_LATIN1 : JS_FRAGMENT_LATIN1, js->fragment_data.data,
                count};
    }
    js->fragment_data.reserve(count * sizeof(uint16_t));
    js_v8_write(js->isolate, text, reinterpret_cast<uint16_t *>(js->fragment_data.data));
    return {is_json ? JS_FRAGMENT_JSON_UTF16 : JS_FRAGMENT_UTF16, js->fragment_data.data,
            count * sizeof(uint16_t)};
}

/* (key, string or bytes, is JSON, ttl in ms, array of strings) -> boolean */
static void set(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    v8::Local<v8::Context> context = isolate->GetCurrentContext();
    js *js = js_of(isolate);
    std::vector<std::string> text;
    std::vector<js_header> tags;

    info.GetReturnValue().Set(false);
    if (!js->fragments || !info[0]->IsString() || !info[3]->IsNumber() || !info[4]->IsArray())
        return;
    v8::Local<v8::Array> array = info[4].As<v8::Array>();
    for (uint32_t i = 0; i < array->Length(); i++) {
        v8::Local<v8::Value> tag;
        if (!array->Get(context, i).ToLocal(&tag))
            return;
        text.push_back(js_std_string(isolate, tag));
    }
    for (const std::string &tag : text)
        tags.push_back({tag.data(), tag.size(), nullptr, 0});
    size_t key_bytes = js_to_utf8(isolate, info[0].As<v8::String>(), &js->fragment_key);
    js_fragment fragment = fragment_of(js, info[1], info[2]->IsTrue());
    double ttl_ms = info[3].As<v8::Number>()->Value();
    bool kept =
        ttl_ms >= 1 && js->fragments->set(js->fragments->arg, js->fragment_key.data, key_bytes,
                                          &fragment, (uint64_t)ttl_ms, tags.data(), tags.size());
    js->fragment_data.trim(KEEP_BYTES);
    info.GetReturnValue().Set(kept);
}

/* (key) -> boolean */
static void remove(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    js *js = js_of(isolate);

    info.GetReturnValue().Set(false);
    if (!js->fragments || !info[0]->IsString())
        return;
    size_t bytes = js_to_utf8(isolate, info[0].As<v8::String>(), &js->fragment_key);
    info.GetReturnValue().Set(
        js->fragments->remove(js->fragments->arg, js->fragment_key.data, bytes));
}

static const js_native list[] = {
    {"fragmentGet", get},
    {"fragmentSet", set},
    {"fragmentDelete", remove},
};
const js_native_list js_fragment_natives = {list, sizeof list / sizeof list[0]};

void js_set_fragments(struct js *js, const struct js_fragments *fragments)
{
    js->fragments = fragments;
}
