/* SPDX-License-Identifier: MIT */
/* js_text.cc - strings of JavaScript to bytes and back, and the arena for short texts. */
#include "worker/js_internal.h"

#include <string.h>

#define ARENA_BLOCK_BYTES 4096

Arena::~Arena()
{
    for (char *block : blocks)
        free(block);
}

char *Arena::room(size_t bytes)
{
    if (blocks.empty() || used + bytes > block_bytes) {
        block_bytes = bytes > ARENA_BLOCK_BYTES ? bytes : ARENA_BLOCK_BYTES;
        char *block = static_cast<char *>(malloc(block_bytes));
        if (!block)
            abort();
        blocks.push_back(block);
        used = 0;
    }
    char *at = blocks.back() + used;
    used += bytes;
    return at;
}

const char *Arena::keep(const char *text, size_t bytes)
{
    char *copy = room(bytes + 1); /* NUL-terminated for debuggers only */

    if (bytes)
        memcpy(copy, text, bytes);
    copy[bytes] = 0;
    return copy;
}

void Arena::reset()
{
    if (blocks.size() > 1 || block_bytes > ARENA_BLOCK_BYTES) {
        for (char *block : blocks)
            free(block);
        blocks.clear();
    }
    used = 0;
    if (blocks.empty())
        block_bytes = 0;
}

/* Empty when longer than a string may be: the text came from a socket or a file. */
v8::Local<v8::String> js_string(v8::Isolate *isolate, const char *text, size_t bytes)
{
    if (!bytes || bytes > (size_t)v8::String::kMaxLength)
        return v8::String::Empty(isolate);
    return v8::String::NewFromUtf8(isolate, text, v8::NewStringType::kNormal, (int)bytes)
        .FromMaybe(v8::String::Empty(isolate));
}

v8::Local<v8::String> js_latin1(v8::Isolate *isolate, const void *text, size_t bytes)
{
    if (!bytes || bytes > (size_t)v8::String::kMaxLength)
        return v8::String::Empty(isolate);
    return v8::String::NewFromOneByte(isolate, static_cast<const uint8_t *>(text),
                                      v8::NewStringType::kNormal, (int)bytes)
        .FromMaybe(v8::String::Empty(isolate));
}

v8::Local<v8::String> js_name(v8::Isolate *isolate, const char *literal)
{
    return v8::String::NewFromUtf8(isolate, literal, v8::NewStringType::kInternalized)
        .ToLocalChecked(); /* a literal of ours, always valid */
}

size_t js_to_utf8(v8::Isolate *isolate, v8::Local<v8::String> text, Utf8Buffer *buffer)
{
    size_t count = (size_t)text->Length();

    if (text->IsOneByte()) {
        buffer->reserve(count + 1);
        uint8_t *bytes = reinterpret_cast<uint8_t *>(buffer->data);
        js_v8_write(isolate, text, bytes);
        if (utf8_ascii(bytes, count))
            return count;
        if (buffer->cap_bytes < 2 * count) {
            buffer->reserve(2 * count);
            bytes = reinterpret_cast<uint8_t *>(buffer->data);
            js_v8_write(isolate, text, bytes);
        }
        return utf8_widen(bytes, count);
    }
    Utf8Buffer wide;
    wide.reserve(count * sizeof(uint16_t));
    uint16_t *units = reinterpret_cast<uint16_t *>(wide.data);
    js_v8_write(isolate, text, units);
    buffer->reserve(3 * count + 1);
    return utf8_from_utf16(units, count, buffer->data);
}

std::string js_std_string(v8::Isolate *isolate, v8::Local<v8::Value> value)
{
    Utf8Buffer buffer;

    if (value.IsEmpty() || !value->IsString())
        return std::string();
    size_t bytes = js_to_utf8(isolate, value.As<v8::String>(), &buffer);
    return std::string(buffer.data, bytes);
}
