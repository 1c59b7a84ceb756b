/* SPDX-License-Identifier: MIT */
/*
 * utf8.h - the one question that logs and error messages ask of foreign text: which of its bytes
 * are a character (RFC 3629), and is it safe to show.
 */
#ifndef SSRD_SHM_UTF8_H
#define SSRD_SHM_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at data (bytes > 0), its number in *ret_code; 0: not UTF-8. Overlong
 * forms, surrogates and numbers above U+10FFFF are not UTF-8. */
static inline size_t utf8_next(const char *data, size_t bytes, uint32_t *ret_code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *)data;
    size_t length = at[0] < 0x80             ? 1
                    : (at[0] & 0xe0) == 0xc0 ? 2
                    : (at[0] & 0xf0) == 0xe0 ? 3
                    : (at[0] & 0xf8) == 0xf0 ? 4
                                             : 0;
    uint32_t code;

    if (length == 0 || length > bytes)
        return 0;
    code = length == 1 ? at[0] : at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret_code = code;
    return length;
}

/* Characters that move a cursor, start a command or end a line somewhere. */
static inline int utf8_is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

#endif
