/* SPDX-License-Identifier: MIT */
/*
 * js_result.cc - from the value that the bundle returned to a js_result. A string, the hot path, is
 * read here; any other shape polyfills/page.js turns into one flat array, and what may stand on the
 * wire (status, headers, durations, tags) is checked here.
 */
#include "worker/js_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TAGS_MAX 64
#define TAG_BYTES_MAX 256
#define SECONDS_MAX 1e10 /* three centuries; keeps milliseconds far from overflow */

/* The order in polyfills/page.js. */
enum field { STATUS, BODY, PRIVATE, TTL, SWR, SIE, HEADERS, TAGS, FIELDS };

static bool __attribute__((format(printf, 2, 3)))
refuse(js_error **ret_error, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    int bytes = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (bytes < 0)
        bytes = 0;
    *ret_error = js_error_new(text, (size_t)bytes < sizeof text ? (size_t)bytes : sizeof text - 1);
    return false;
}

/* RFC 9110, section 5.6.2: token. */
static bool token_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* RFC 9110, section 5.5: no CR, LF, NUL; the other controls but tab are refused too. */
static bool value_char(uint8_t c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

/* One byte a character, borrowed from the arena; false: it holds others, or is no string. */
static bool latin1(js *js, v8::Local<v8::Value> value, const char **ret_text, size_t *ret_bytes)
{
    if (!value->IsString() || !value.As<v8::String>()->ContainsOnlyOneByte())
        return false;
    v8::Local<v8::String> string = value.As<v8::String>();
    size_t bytes = (size_t)string->Length();
    char *text = js->page.text.room(bytes + 1);
    js_v8_write(js->isolate, string, reinterpret_cast<uint8_t *>(text));
    text[bytes] = 0;
    *ret_text = text;
    *ret_bytes = bytes;
    return true;
}

static bool read_header(js *js, v8::Local<v8::Value> name, v8::Local<v8::Value> value,
                        js_error **ret_error)
{
    js_header header = {};

    if (!latin1(js, name, &header.name, &header.name_bytes) || header.name_bytes == 0)
        return refuse(ret_error, "a header's name must be made of ASCII letters, digits and -");
    for (size_t i = 0; i < header.name_bytes; i++) {
        char *c = const_cast<char *>(header.name) + i;
        if (!token_char((uint8_t)*c))
            return refuse(ret_error,
                          "a header's name that begins with \"%.*s\" must not hold the byte 0x%02x",
                          (int)i, header.name, (uint8_t)*c);
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c | 0x20);
    }
    if (!latin1(js, value, &header.value, &header.value_bytes))
        return refuse(ret_error, "header \"%.60s\": the value holds a character above U+00FF",
                      header.name);
    for (size_t i = 0; i < header.value_bytes; i++)
        if (!value_char((uint8_t)header.value[i]))
            return refuse(ret_error, "header \"%.60s\": the value must not hold the byte 0x%02x%s",
                          header.name, (uint8_t)header.value[i],
                          header.value[i] == '\r' || header.value[i] == '\n' ? " (a line break)"
                                                                             : "");
    while (header.value_bytes && strchr(" \t", header.value[header.value_bytes - 1]))
        header.value_bytes--;
    while (header.value_bytes && strchr(" \t", header.value[0])) {
        header.value++;
        header.value_bytes--;
    }
    js->page.headers.push_back(header);
    return true;
}

static v8::Local<v8::Value> element(v8::Local<v8::Context> context, v8::Local<v8::Array> array,
                                    uint32_t i)
{
    v8::Local<v8::Value> value;

    if (!array->Get(context, i).ToLocal(&value))
        return v8::Undefined(v8::Isolate::GetCurrent());
    return value;
}

static bool read_headers(js *js, v8::Local<v8::Context> context, v8::Local<v8::Value> list,
                         js_result *result, js_error **ret_error)
{
    js->page.headers.clear();
    if (!list->IsArray())
        return true;
    v8::Local<v8::Array> flat = list.As<v8::Array>();
    for (uint32_t i = 0; i + 1 < flat->Length(); i += 2)
        if (!read_header(js, element(context, flat, i), element(context, flat, i + 1), ret_error))
            return false;
    result->headers = js->page.headers.data();
    result->header_count = js->page.headers.size();
    return true;
}

static bool read_tags(js *js, v8::Local<v8::Context> context, v8::Local<v8::Value> list,
                      js_result *result, js_error **ret_error)
{
    js->page.tags.clear();
    if (!list->IsArray())
        return true;
    v8::Local<v8::Array> tags = list.As<v8::Array>();
    if (tags->Length() > TAGS_MAX)
        return refuse(ret_error, "cache.tags: %u tags, at most %d", tags->Length(), TAGS_MAX);
    for (uint32_t i = 0; i < tags->Length(); i++) {
        v8::Local<v8::Value> value = element(context, tags, i);
        js_header tag = {};

        if (!value->IsString())
            return refuse(ret_error, "cache.tags: tag %u is not a string", i + 1);
        Utf8Buffer utf8;
        tag.name_bytes = js_to_utf8(js->isolate, value.As<v8::String>(), &utf8);
        if (tag.name_bytes == 0 || tag.name_bytes > TAG_BYTES_MAX)
            return refuse(ret_error, "cache.tags: tag %u must have 1 to %d bytes", i + 1,
                          TAG_BYTES_MAX);
        for (size_t k = 0; k < tag.name_bytes; k++)
            if ((uint8_t)utf8.data[k] <= 0x20 || utf8.data[k] == ',')
                return refuse(ret_error, "cache.tags: tag %u holds a space, comma or control",
                              i + 1);
        tag.name = js->page.text.keep(utf8.data, tag.name_bytes);
        tag.value = "";
        js->page.tags.push_back(tag);
    }
    result->tags = js->page.tags.data();
    result->tag_count = js->page.tags.size();
    return true;
}

static bool read_seconds(v8::Local<v8::Value> value, const char *name, int64_t *ret_ms,
                         js_error **ret_error)
{
    if (value->IsUndefined())
        return true;
    double seconds = value->IsNumber() ? value.As<v8::Number>()->Value() : NAN;
    if (!(seconds >= 0) || isinf(seconds))
        return refuse(ret_error, "cache.%s must be a number of seconds, 0 or more", name);
    *ret_ms = (int64_t)((seconds > SECONDS_MAX ? SECONDS_MAX : seconds) * 1000.0);
    return true;
}

static bool read_body(js *js, v8::Local<v8::Value> value, js_result *result, js_error **ret_error)
{
    Utf8Buffer *body = &js->page.body;

    if (value->IsString()) {
        result->body_bytes = js_to_utf8(js->isolate, value.As<v8::String>(), body);
    } else if (value->IsArrayBufferView()) {
        v8::Local<v8::ArrayBufferView> view = value.As<v8::ArrayBufferView>();
        result->body_bytes = view->ByteLength();
        body->reserve(result->body_bytes);
        result->body_bytes = view->CopyContents(body->data, result->body_bytes);
    } else if (value->IsArrayBuffer()) {
        std::shared_ptr<v8::BackingStore> store = value.As<v8::ArrayBuffer>()->GetBackingStore();
        result->body_bytes = store->ByteLength();
        body->reserve(result->body_bytes);
        if (result->body_bytes)
            memcpy(body->data, store->Data(), result->body_bytes);
    } else if (!value->IsNullOrUndefined()) {
        return refuse(ret_error, "body must be a string or a Uint8Array");
    }
    result->body = result->body_bytes ? body->data : "";
    return true;
}

bool js_result_read_flat(js *js, v8::Local<v8::Context> context, v8::Local<v8::Array> flat,
                         js_result *result, js_error **ret_error)
{
    v8::Local<v8::Value> field[FIELDS];

    for (uint32_t i = 0; i < FIELDS; i++)
        field[i] = element(context, flat, i);
    double status = field[STATUS]->IsNumber() ? field[STATUS].As<v8::Number>()->Value() : NAN;
    if (!(status >= 100 && status <= 599) || status != trunc(status))
        return refuse(ret_error, "status must be a whole number from 100 to 599");
    result->status = (uint16_t)status;
    result->is_private = field[PRIVATE]->IsTrue();
    return read_seconds(field[TTL], "ttl", &result->ttl_ms, ret_error) &&
           read_seconds(field[SWR], "swr", &result->swr_ms, ret_error) &&
           read_seconds(field[SIE], "sie", &result->sie_ms, ret_error) &&
           read_headers(js, context, field[HEADERS], result, ret_error) &&
           read_tags(js, context, field[TAGS], result, ret_error) &&
           read_body(js, field[BODY], result, ret_error);
}

js_result js_result_blank(const js *js)
{
    js_result result = {};

    result.outcome = JS_OK;
    result.status = 200;
    result.body = "";
    result.is_fetch = js->contract.is_fetch;
    result.ttl_ms = result.swr_ms = result.sie_ms = JS_UNSET;
    return result;
}

bool js_result_read(js *js, Entry &entry, v8::Local<v8::Value> value, js_result *result,
                    js_error **ret_error)
{
    v8::Local<v8::Value> flat;

    if (value->IsStringObject()) /* templates mark by it what is escaped: Hono's html`` */
        value = value.As<v8::StringObject>()->ValueOf();
    result->is_text = value->IsString();
    if (result->is_text && !js->has_template)
        return read_body(js, value, result, ret_error);
    if (!js->describe.Get(js->isolate)
             ->Call(entry.context, v8::Undefined(js->isolate), 1, &value)
             .ToLocal(&flat)) {
        if (!js_stopped(js))
            *ret_error = js_error_caught(js, entry);
        return false;
    }
    if (result->is_text && flat->IsString())
        return read_body(js, flat, result, ret_error);
    if (!flat->IsArray())
        return refuse(ret_error,
                      "page.js returned no array"); /* tampered with: not ours to assert */
    return js_result_read_flat(js, entry.context, flat.As<v8::Array>(), result, ret_error);
}
