/* SPDX-License-Identifier: MIT */
/*
 * js_encoding.cc - decoders other than UTF-8 for polyfills/encodings.js, by ICU's converters. A decoder keeps
 * what a chunk has cut off; it lives in an ArrayBuffer that no page sees, and is freed with that.
 */
#include "worker/js_internal.h"

#include <unicode/ucnv.h>
#include <unicode/ucnv_cb.h>
#include <unicode/ucnv_err.h>

typedef const v8::FunctionCallbackInfo<v8::Value> Info;

#define CHUNK_UNITS 4096

/* Encoding Standard, section 4.1, error mode "replacement". ICU's own callback writes U+001A for a single byte. */
static void replace(const void *, UConverterToUnicodeArgs *args, const char *, int32_t,
                    UConverterCallbackReason reason, UErrorCode *status)
{
    static const UChar replacement = 0xfffd;

    if (reason > UCNV_IRREGULAR) /* the converter is reset, closed or cloned */
        return;
    *status = U_ZERO_ERROR;
    ucnv_cbToUWriteUChars(args, &replacement, 1, 0, status);
}

/* (name as ICU has it, fatal) -> decoder, or undefined: ICU has none of that name */
static void open(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    std::string name = js_std_string(isolate, info[0]);
    UErrorCode status = U_ZERO_ERROR;
    UConverter *converter = ucnv_open(name.c_str(), &status);

    if (U_FAILURE(status))
        return;
    ucnv_setToUCallBack(converter, info[1]->IsTrue() ? UCNV_TO_U_CALLBACK_STOP : replace, nullptr,
                        nullptr, nullptr, &status);
    /* One byte that nobody reads: V8 makes no backing store of none. */
    std::unique_ptr<v8::BackingStore> store = v8::ArrayBuffer::NewBackingStore(
        converter, 1,
        [](void *held, size_t, void *) { ucnv_close(static_cast<UConverter *>(held)); }, nullptr);
    info.GetReturnValue().Set(v8::ArrayBuffer::New(isolate, std::move(store)));
}

/* (decoder, bytes, more to come?) -> string; undefined: it is fatal, and the bytes are not of the encoding.
 * Without more to come the decoder is as new afterwards. */
static void decode(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    js_bytes from = js_bytes_of(info[1]);

    if (!info[0]->IsArrayBuffer())
        return;
    auto *converter =
        static_cast<UConverter *>(info[0].As<v8::ArrayBuffer>()->GetBackingStore()->Data());
    const char *at = reinterpret_cast<const char *>(from.data), *end = at + from.count;
    bool flush = !info[2]->IsTrue();
    std::vector<uint16_t> out;
    UErrorCode status;

    do {
        size_t used = out.size();
        out.resize(used + CHUNK_UNITS);
        UChar *start = reinterpret_cast<UChar *>(out.data()) + used, *to = start;
        status = U_ZERO_ERROR;
        ucnv_toUnicode(converter, &to, start + CHUNK_UNITS, &at, end, nullptr, flush, &status);
        out.resize(used + (size_t)(to - start));
    } while (status == U_BUFFER_OVERFLOW_ERROR);
    if (flush || U_FAILURE(status))
        ucnv_resetToUnicode(converter);
    if (U_FAILURE(status))
        return;
    v8::Local<v8::String> text;
    if (out.size() <= (size_t)v8::String::kMaxLength &&
        v8::String::NewFromTwoByte(isolate, out.data(), v8::NewStringType::kNormal, (int)out.size())
            .ToLocal(&text))
        info.GetReturnValue().Set(text);
}

static const js_native list[] = {{"decoderOpen", open}, {"decoderDecode", decode}};
const js_native_list js_encoding_natives = {list, sizeof list / sizeof list[0]};
