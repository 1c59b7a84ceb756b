/* SPDX-License-Identifier: MIT */
/* http_range.c - see http_range.h. */
#include "worker/http_range.h"

#include <string.h>
#include <strings.h>

/* Digits; what does not fit is as good as the largest number. False: none. */
static bool take_number(const char **at, const char *end, uint64_t *ret_value)
{
    const char *begin = *at;
    uint64_t value = 0;

    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        uint64_t digit = (uint64_t)(**at - '0');

        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    *ret_value = value;
    return *at > begin;
}

static void skip_blanks(const char **at, const char *end)
{
    while (*at < end && (**at == ' ' || **at == '\t'))
        (*at)++;
}

enum http_range http_range_parse(struct span value, uint64_t total, uint64_t *ret_first,
                                 uint64_t *ret_bytes)
{
    const char *at = value.data;
    const char *end = at + value.bytes;
    uint64_t first;
    uint64_t last = UINT64_MAX;
    bool has_first;

    if (value.bytes < 6 || strncasecmp(at, "bytes=", 6) != 0)
        return HTTP_RANGE_WHOLE;
    at += 6;
    skip_blanks(&at, end);
    has_first = take_number(&at, end, &first);
    if (at == end || *at != '-')
        return HTTP_RANGE_WHOLE;
    at++;
    if (!take_number(&at, end, &last)) {
        if (!has_first)
            return HTTP_RANGE_WHOLE;
        last = UINT64_MAX;
    }
    skip_blanks(&at, end);
    if (at != end || (has_first && last < first))
        return HTTP_RANGE_WHOLE;
    if (!has_first) { /* the last so many bytes */
        if (last == 0 || total == 0)
            return HTTP_RANGE_UNSATISFIABLE;
        *ret_bytes = last < total ? last : total;
        *ret_first = total - *ret_bytes;
        return HTTP_RANGE_PART;
    }
    if (first >= total)
        return HTTP_RANGE_UNSATISFIABLE;
    *ret_first = first;
    *ret_bytes = (last < total - 1 ? last : total - 1) - first + 1;
    return HTTP_RANGE_PART;
}
