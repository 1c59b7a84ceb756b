/* SPDX-License-Identifier: MIT */
/* http_accept.c - see http_accept.h. */
#include "worker/http_accept.h"

#include <string.h>
#include <strings.h>

#define UNSET UINT16_MAX

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span trimmed(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    while (end > at && is_blank(end[-1]))
        end--;
    return (struct span){at, (size_t)(end - at)};
}

static bool is(struct span word, const char *text)
{
    return word.bytes == strlen(text) && strncasecmp(word.data, text, word.bytes) == 0;
}

/* "q=0.5", at most three decimals (RFC 9110 section 12.4.2), in thousandths; UNSET: not a weight. */
static uint16_t weight_of(struct span text)
{
    unsigned value;
    unsigned unit = 100;

    if (text.bytes < 3 || text.bytes > 7 || (text.data[0] | 0x20) != 'q' || text.data[1] != '=' ||
        (text.data[2] != '0' && text.data[2] != '1'))
        return UNSET;
    value = (unsigned)(text.data[2] - '0') * 1000;
    if (text.bytes > 3 && text.data[3] != '.')
        return UNSET;
    for (size_t i = 4; i < text.bytes; i++, unit /= 10) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return UNSET;
        value += (unsigned)(text.data[i] - '0') * unit;
    }
    return value <= 1000 ? (uint16_t)value : UNSET;
}

static void take_item(struct span item, uint16_t weight[PAGE_ENCODINGS], uint16_t *ret_any)
{
    const char *semicolon = memchr(item.data, ';', item.bytes);
    const char *end = item.data + item.bytes;
    struct span name = trimmed(item.data, semicolon ? semicolon : end);
    uint16_t value = semicolon ? weight_of(trimmed(semicolon + 1, end)) : 1000;

    if (value == UNSET)
        return;
    if (is(name, "*"))
        *ret_any = value;
    if (is(name, "x-gzip")) /* RFC 9110 section 8.4.1.3 */
        weight[PAGE_GZIP] = value;
    for (size_t i = 0; i < PAGE_ENCODINGS; i++)
        if (is(name, page_encoding_name((enum page_encoding)i)))
            weight[i] = value;
}

struct http_accept http_accept_parse(struct span value)
{
    struct http_accept accept;
    uint16_t any = UNSET;
    const char *at = value.data;
    const char *end = at + value.bytes;

    for (size_t i = 0; i < PAGE_ENCODINGS; i++)
        accept.weight[i] = UNSET;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        struct span item = trimmed(at, stop);

        if (item.bytes > 0)
            take_item(item, accept.weight, &any);
        at = stop + 1;
    }
    for (size_t i = 0; i < PAGE_ENCODINGS; i++)
        if (accept.weight[i] == UNSET)
            accept.weight[i] = any != UNSET ? any : i == PAGE_IDENTITY;
    return accept;
}

enum page_encoding http_accept_choose(const struct http_accept *accept, unsigned mask,
                                      const enum page_encoding *order, size_t order_count)
{
    enum page_encoding best = PAGE_IDENTITY;
    unsigned best_weight = 0;

    for (size_t i = 0; i < order_count; i++) {
        enum page_encoding encoding = order[i];

        if ((mask >> encoding & 1) && accept->weight[encoding] > best_weight) {
            best = encoding;
            best_weight = accept->weight[encoding];
        }
    }
    return accept->weight[PAGE_IDENTITY] > best_weight ? PAGE_IDENTITY : best;
}
