/* SPDX-License-Identifier: MIT */
/* http_parse_body.h - what the two files of http_parse.h share. */
#ifndef SSRD_WORKER_HTTP_PARSE_BODY_H
#define SSRD_WORKER_HTTP_PARSE_BODY_H

#include "worker/http_parse.h"

#include <string.h>

/* tchar of RFC 9110 section 5.6.2 */
static inline bool http_is_token_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c > 0 && strchr("!#$%&'*+-.^_`|~", c));
}

static inline enum http_progress http_parse_refuse(struct http_parse *parse, uint16_t status,
                                                   const char *reason)
{
    parse->status = status;
    parse->reason = reason;
    return HTTP_REFUSED;
}

/* Callbacks of llhttp. */
int http_on_body(llhttp_t *llhttp, const char *at, size_t bytes);
int http_on_chunk_header(llhttp_t *llhttp);
int http_on_chunk_extension(llhttp_t *llhttp, const char *at, size_t bytes);
int http_on_chunk_extension_complete(llhttp_t *llhttp);
int http_on_message_complete(llhttp_t *llhttp);

#endif
