/* SPDX-License-Identifier: MIT */
/* url_text.h - what the files of url.h share: growing text and the percent-encode sets. */
#ifndef SSRD_WORKER_URL_TEXT_H
#define SSRD_WORKER_URL_TEXT_H

#include "worker/url.h"

#ifdef __cplusplus
extern "C" {
#endif

/* URL Standard, section 1.3; each set holds the one before it but where said. */
enum url_percent {
    URL_SET_C0 = 1,
    URL_SET_FRAGMENT = 2,
    URL_SET_QUERY = 4, /* C0 and its own */
    URL_SET_SPECIAL_QUERY = 8,
    URL_SET_PATH = 16,
    URL_SET_USERINFO = 32,
    URL_SET_FORM = 64, /* application/x-www-form-urlencoded; the space is not its matter */
};
extern const uint8_t url_sets[256];

/* Each returns false when memory can't be had. */
bool url_text_room(struct url_text *text, size_t bytes); /* for so many more */
bool url_text_add(struct url_text *text, const char *data, size_t bytes);
bool url_text_set(struct url_text *text, const char *data, size_t bytes);
/* UTF-8 percent-encode, appended. */
bool url_text_encode(struct url_text *text, const char *data, size_t bytes, enum url_percent set);
/* Percent-decode, appended. */
bool url_text_decode(struct url_text *text, const char *data, size_t bytes);

static inline bool url_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool url_is_alpha(char c)
{
    return (char)(c | 0x20) >= 'a' && (char)(c | 0x20) <= 'z';
}

/* -1: none */
static inline int url_hex(char c)
{
    if (url_is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Section 3.5, "host parser"; the serialized host replaces *ret. 0 / -EINVAL / -ENOMEM. */
int url_host_parse(const char *text, size_t bytes, bool special, struct url_text *ret,
                   struct url_text *scratch);

/* url_parse.c, for the setters. */
int url_default_port(const struct url_text *scheme); /* -1: not special, or file */
bool url_scheme_special(const char *scheme, size_t bytes);
bool url_is_drive(const char *text, size_t bytes, bool normalized); /* exactly two bytes */
int url_parse_path(struct url *url, const char *at, const char *end, bool stops, const char **ret);
int url_parse_port(struct url *url, const char *at, const char *end);
int url_host_set(struct url *url, const char *text, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
