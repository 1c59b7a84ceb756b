/* SPDX-License-Identifier: MIT */
/*
 * js_url.cc - url.h for polyfills/url.js. A URL is kept there as its serialization and eight offsets, which the
 * calls leave in one array that both sides see: an object a URL would cost more than parsing it.
 */
#include "worker/js_internal.h"
#include "worker/url.h"
#include "worker/url_text.h"

#include <string.h>

#define OFFSETS (sizeof(struct url_offsets) / sizeof(uint32_t))

/* Of one isolate; their memory is used again by each call. */
struct UrlWork {
    struct url url = {};
    struct url base = {};
    Utf8Buffer text, base_text;
    struct url_offsets offsets = {};
    ~UrlWork()
    {
        url_done(&url);
        url_done(&base);
    }
};

typedef const v8::FunctionCallbackInfo<v8::Value> Info;

static UrlWork *work_of(Info &info)
{
    js *js = js_of(info.GetIsolate());

    if (!js->url_work)
        js->url_work = std::make_shared<UrlWork>();
    return static_cast<UrlWork *>(js->url_work.get());
}

static bool parse(v8::Isolate *isolate, struct url *url, v8::Local<v8::Value> value,
                  Utf8Buffer *text, const struct url *base)
{
    if (!value->IsString())
        return false;
    size_t bytes = js_to_utf8(isolate, value.As<v8::String>(), text);
    return url_parse(url, text->data, bytes, base) == 0;
}

/* (text, base or undefined) into work->url; false: failure */
static bool parse_both(Info &info, UrlWork *work)
{
    v8::Isolate *isolate = info.GetIsolate();
    const struct url *base = nullptr;

    if (info[1]->IsString()) {
        if (!parse(isolate, &work->base, info[1], &work->base_text, nullptr))
            return false;
        base = &work->base;
    }
    return parse(isolate, &work->url, info[0], &work->text, base);
}

/* The serialization, `known` itself where it is the same; offsets go into the array. */
static void give(Info &info, UrlWork *work, v8::Local<v8::Value> known)
{
    struct url *url = &work->url;

    if (url_serialize(url, &work->offsets) != 0)
        return;
    memcpy(js_of(info.GetIsolate())->url_offsets->Data(), &work->offsets, sizeof work->offsets);
    if (url->href.bytes == (size_t)known.As<v8::String>()->Length() &&
        memcmp(url->href.data, work->text.data, url->href.bytes) == 0)
        info.GetReturnValue().Set(known);
    else
        info.GetReturnValue().Set(js_latin1(info.GetIsolate(), url->href.data, url->href.bytes));
}

/* (text, base) -> href, or undefined */
static void url_new(Info &info)
{
    UrlWork *work = work_of(info);

    if (parse_both(info, work))
        give(info, work, info[0]);
}

static void url_can_parse(Info &info)
{
    info.GetReturnValue().Set(parse_both(info, work_of(info)));
}

/* (href, part, text) -> href with that part set, or the same */
static void url_change(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    UrlWork *work = work_of(info);

    if (!info[1]->IsInt32() || !info[2]->IsString() ||
        !parse(isolate, &work->url, info[0], &work->text, nullptr))
        return;
    size_t bytes = js_to_utf8(isolate, info[2].As<v8::String>(), &work->base_text);
    if (url_set(&work->url, (enum url_part)info[1].As<v8::Int32>()->Value(), work->base_text.data,
                bytes) == 0)
        give(info, work, info[0]);
}

/* (text) -> percent-decoded as a form's field is: + is a space (URL, section 5.1) */
static void form_decode(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    UrlWork *work = work_of(info);

    if (!info[0]->IsString())
        return;
    size_t bytes = js_to_utf8(isolate, info[0].As<v8::String>(), &work->text);
    for (size_t i = 0; i < bytes; i++)
        if (work->text.data[i] == '+')
            work->text.data[i] = ' ';
    struct url_text *to = &work->url.scratch;
    to->bytes = 0;
    if (url_text_decode(to, work->text.data, bytes))
        info.GetReturnValue().Set(js_string(isolate, to->data, to->bytes));
}

/* (text) -> as a form's field is written (URL, section 5.2) */
static void form_encode(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    UrlWork *work = work_of(info);

    if (!info[0]->IsString())
        return;
    size_t bytes = js_to_utf8(isolate, info[0].As<v8::String>(), &work->text);
    struct url_text *to = &work->url.scratch;
    to->bytes = 0;
    if (!url_text_encode(to, work->text.data, bytes, URL_SET_FORM))
        return;
    for (size_t i = 0; i < to->bytes; i++) {
        /* The set leaves the space alone, which then is a plus; a plus itself was encoded. */
        if (to->data[i] == ' ')
            to->data[i] = '+';
    }
    info.GetReturnValue().Set(js_latin1(isolate, to->data, to->bytes));
}

/* (host, to Unicode?) -> host, or undefined; for node:url */
static void domain(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    UrlWork *work = work_of(info);
    struct url_text *to = &work->url.host;

    if (!info[0]->IsString())
        return;
    size_t bytes = js_to_utf8(isolate, info[0].As<v8::String>(), &work->text);
    int result = info[1]->IsTrue() ? url_domain_to_unicode(work->text.data, bytes, to)
                                   : url_domain_to_ascii(work->text.data, bytes, to);
    if (result == 0)
        info.GetReturnValue().Set(js_string(isolate, to->data, to->bytes));
}

static const js_native list[] = {
    {"urlParse", url_new},       {"urlCanParse", url_can_parse}, {"urlSet", url_change},
    {"formDecode", form_decode}, {"formEncode", form_encode},    {"domain", domain},
};
const js_native_list js_url_natives = {list, sizeof list / sizeof list[0]};

/* Of each realm one: polyfills/url.js reads from it. */
void js_url_arrays(js *js, v8::Local<v8::Object> native)
{
    v8::Local<v8::ArrayBuffer> buffer =
        v8::ArrayBuffer::New(js->isolate, sizeof(struct url_offsets));

    js_native_set(js, native, "urlOffsets", v8::Uint32Array::New(buffer, 0, OFFSETS));
}
