/* SPDX-License-Identifier: MIT */
/* url_text.c - growing text and percent-encoding for url.h. */
#include "worker/url_text.h"

#include <stdlib.h>
#include <string.h>

#define C0 URL_SET_C0
#define ALL                                                                                        \
    (C0 | URL_SET_FRAGMENT | URL_SET_QUERY | URL_SET_SPECIAL_QUERY | URL_SET_PATH |                \
     URL_SET_USERINFO | URL_SET_FORM)
#define QUERIES                                                                                    \
    (URL_SET_QUERY | URL_SET_SPECIAL_QUERY | URL_SET_PATH | URL_SET_USERINFO | URL_SET_FORM)
#define PATHS (URL_SET_PATH | URL_SET_USERINFO | URL_SET_FORM)
#define INFO (URL_SET_USERINFO | URL_SET_FORM)

const uint8_t url_sets[256] = {
    [0x00 ... 0x1f] = ALL,
    [' '] = (QUERIES & ~URL_SET_FORM) | URL_SET_FRAGMENT,
    ['"'] = QUERIES | URL_SET_FRAGMENT,
    ['<'] = QUERIES | URL_SET_FRAGMENT,
    ['>'] = QUERIES | URL_SET_FRAGMENT,
    ['`'] = PATHS | URL_SET_FRAGMENT,
    ['#'] = QUERIES,
    ['\''] = URL_SET_SPECIAL_QUERY | URL_SET_FORM,
    ['?'] = PATHS,
    ['{'] = PATHS,
    ['}'] = PATHS,
    ['/'] = INFO,
    [':'] = INFO,
    [';'] = INFO,
    ['='] = INFO,
    ['@'] = INFO,
    ['['] = INFO,
    ['\\'] = INFO,
    [']'] = INFO,
    ['^'] = INFO,
    ['|'] = INFO,
    ['$'] = URL_SET_FORM,
    ['%'] = URL_SET_FORM,
    ['&'] = URL_SET_FORM,
    ['+'] = URL_SET_FORM,
    [','] = URL_SET_FORM,
    ['!'] = URL_SET_FORM,
    ['('] = URL_SET_FORM,
    [')'] = URL_SET_FORM,
    ['~'] = URL_SET_FORM,
    [0x7f ... 0xff] = ALL,
};

bool url_text_room(struct url_text *text, size_t bytes)
{
    if (text->cap_bytes - text->bytes >= bytes)
        return true;
    size_t cap_bytes = text->bytes + bytes + text->cap_bytes / 2 + 64;
    char *data = realloc(text->data, cap_bytes);

    if (!data)
        return false;
    text->data = data;
    text->cap_bytes = cap_bytes;
    return true;
}

bool url_text_add(struct url_text *text, const char *data, size_t bytes)
{
    if (!url_text_room(text, bytes))
        return false;
    if (bytes)
        memcpy(text->data + text->bytes, data, bytes);
    text->bytes += bytes;
    return true;
}

bool url_text_set(struct url_text *text, const char *data, size_t bytes)
{
    text->bytes = 0;
    return url_text_add(text, data, bytes);
}

bool url_text_encode(struct url_text *text, const char *data, size_t bytes, enum url_percent set)
{
    static const char digits[] = "0123456789ABCDEF";

    if (bytes == 0)
        return true;
    if (!url_text_room(text, 3 * bytes))
        return false;
    char *to = text->data + text->bytes;
    for (size_t i = 0; i < bytes; i++) {
        uint8_t c = (uint8_t)data[i];
        if (!(url_sets[c] & set)) {
            *to++ = (char)c;
            continue;
        }
        *to++ = '%';
        *to++ = digits[c >> 4];
        *to++ = digits[c & 15];
    }
    text->bytes = (size_t)(to - text->data);
    return true;
}

bool url_text_decode(struct url_text *text, const char *data, size_t bytes)
{
    if (!url_text_room(text, bytes))
        return false;
    for (size_t i = 0; i < bytes; i++) {
        char c = data[i];
        if (c == '%' && bytes - i > 2 && url_hex(data[i + 1]) >= 0 && url_hex(data[i + 2]) >= 0) {
            c = (char)(url_hex(data[i + 1]) << 4 | url_hex(data[i + 2]));
            i += 2;
        }
        text->data[text->bytes++] = c;
    }
    return true;
}
