/* SPDX-License-Identifier: MIT */
/*
 * fuzz_page_head.c - the fields that a bundle gives its page: whether it may be stored, and its heads for 200, 304 and 206. The
 * input is status and lines "name: value". Beyond not crashing: a lifetime is in range, what is for one visitor is
 * not stored, and each head is lines that end in CRLF, with one Content-Length at most.
 */
#include "worker/cache_policy.h"
#include "worker/http_reply.h"

#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define HEADERS_MAX 64

static char buffer[3][32768];

/* As the edge hands them over: names in lower case, tokens; values without control characters. */
static bool is_field(const char *name, size_t name_bytes, const char *value, size_t value_bytes)
{
    for (size_t i = 0; i < name_bytes; i++)
        if (!((name[i] >= 'a' && name[i] <= 'z') || name[i] == '-'))
            return false;
    for (size_t i = 0; i < value_bytes; i++)
        if ((unsigned char)value[i] < ' ' || value[i] == 0x7f)
            return false;
    return name_bytes > 0;
}

static size_t read_fields(const char *at, const char *end, struct js_header *header)
{
    size_t count = 0;

    while (at < end && count < HEADERS_MAX) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *colon;

        if (!stop)
            stop = end;
        colon = memchr(at, ':', (size_t)(stop - at));
        if (colon && is_field(at, (size_t)(colon - at), colon + 1, (size_t)(stop - colon - 1)))
            header[count++] =
                (struct js_header){at, (size_t)(colon - at), colon + 1, (size_t)(stop - colon - 1)};
        at = stop + 1;
    }
    return count;
}

static void check_lines(const struct reply_text *t)
{
    unsigned lengths = 0;

    if (t->overflow)
        return;
    assert(t->bytes > 12 && memcmp(t->data, "HTTP/1.1 ", 9) == 0);
    assert(memcmp(t->data + t->bytes - 2, "\r\n", 2) == 0);
    for (const char *at = t->data; at < t->data + t->bytes;) {
        const char *stop = memchr(at, '\n', (size_t)(t->data + t->bytes - at));

        assert(stop && stop > at + 1 && stop[-1] == '\r');
        lengths += strncasecmp(at, "content-length:", 15) == 0;
        at = stop + 1;
    }
    assert(lengths <= 1);
}

static bool has(const struct js_result *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (r->headers[i].name_bytes == strlen(name) &&
            memcmp(r->headers[i].name, name, strlen(name)) == 0)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const struct cache_asked asked = {.now_s = 1795161600};
    static const struct config_policy policy = {.ttl_ms = CONFIG_TTL_AUTO};
    struct reply_text text[3];
    struct js_header header[HEADERS_MAX];
    struct js_result result = {.outcome = JS_OK,
                               .headers = header,
                               .body = "body",
                               .body_bytes = 4,
                               .ttl_ms = JS_UNSET,
                               .swr_ms = JS_UNSET,
                               .sie_ms = JS_UNSET};
    struct cache_verdict verdict;
    struct reply_head about;

    if (bytes < 2)
        return 0;
    for (size_t i = 0; i < array_len(text); i++)
        text[i] = (struct reply_text){buffer[i], 0, sizeof buffer[i], false};
    result.status = (uint16_t)(200 + (data[0] * 256u + data[1]) % 400);
    result.header_count = read_fields((const char *)data + 2, (const char *)data + bytes, header);
    cache_policy_judge(&policy, &result, &asked, &verdict);
    assert(!verdict.store || !has(&result, "set-cookie"));
    assert(verdict.ttl_ms <= CACHE_TTL_MAX_MS && verdict.tag_count <= PAGE_TAGS_MAX);
    reply_page_head(&text[0], &policy, &result, &verdict, (struct span){"\"x\"", 3}, &about);
    check_lines(&text[0]);
    if (text[0].overflow)
        return 0;
    reply_not_modified_head(&text[1], text[0].data, text[0].bytes);
    check_lines(&text[1]);
    reply_part_head(&text[2], text[0].data, text[0].bytes, 1, 2, 4);
    check_lines(&text[2]);
    (void)reply_head_field(text[0].data, text[0].bytes, "last-modified");
    return 0;
}
