/* SPDX-License-Identifier: MIT */
/* http_sample.h - requests for the tests of the HTTP side, parsed from text. */
#ifndef SSRD_TESTS_UNIT_HTTP_SAMPLE_H
#define SSRD_TESTS_UNIT_HTTP_SAMPLE_H

#include "worker/http_parse.h"

#include <string.h>

static const struct http_limits sample_limits = {.head_bytes = 16384, .body_bytes = 1000};

/* text: kept by ret_parse. */
static inline enum http_progress sample_parse(const char *text, struct http_parse *ret_parse)
{
    http_parse_init(ret_parse, &sample_limits);
    return http_parse_head(ret_parse, text, strlen(text));
}

#endif
