/* SPDX-License-Identifier: MIT */
/*
 * js_utf8.h - UTF-8 from and for JavaScript's strings. Knows nothing of V8. Its own because V8 10.2
 * takes 31 us for 18 kB that are mostly ASCII, where a copy takes one.
 */
#ifndef SSRD_WORKER_JS_UTF8_H
#define SSRD_WORKER_JS_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Grows, is never initialised; the contents do not survive reserve(). */
struct Utf8Buffer {
    char *data = nullptr;
    size_t cap_bytes = 0;

    Utf8Buffer() = default;
    Utf8Buffer(const Utf8Buffer &) = delete;
    Utf8Buffer &operator=(const Utf8Buffer &) = delete;
    ~Utf8Buffer();
    void reserve(size_t bytes);
    void trim(size_t keep_bytes); /* gives a buffer larger than that back */
};

bool utf8_ascii(const uint8_t *text, size_t count);

/* Latin-1 at the start of `text` becomes UTF-8 in place; room for 2 * count. Returns bytes. */
size_t utf8_widen(uint8_t *text, size_t count);

/* Room for 3 * count. Lone surrogates become U+FFFD. Returns bytes. */
size_t utf8_from_utf16(const uint16_t *text, size_t count, char *to);

/* As many whole characters as fit into cap_bytes (TextEncoder.encodeInto). */
size_t utf8_from_utf16_into(const uint16_t *text, size_t count, char *to, size_t cap_bytes,
                            size_t *ret_read);

/* WHATWG Encoding, "UTF-8 decoder" with error mode fatal. */
bool utf8_valid(const uint8_t *text, size_t bytes);

/* How many bytes at the end begin a character that is not there yet: 0 to 3. */
size_t utf8_open_tail(const uint8_t *text, size_t bytes);

#endif
