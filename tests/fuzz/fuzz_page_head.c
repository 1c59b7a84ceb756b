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

/* What else is known of a page comes in fields of their own names, which it then has too. */
enum said {
    SAID_FETCH = 1,
    SAID_PRIVATE = 2,
    SAID_COOKIE = 4,
    SAID_AUTHORIZATION = 8,
    SAID_ALL = 16,
    SAID_POLICY = 32, /* a policy that names what it can */
    SAID_ASKED = 64,  /* the request had Authorization */
    SAID_TIMES = 128, /* `cache` of the page */
};

static unsigned said_of(const struct js_result *r)
{
    unsigned bits = 0;

    for (size_t i = 0; i < r->header_count; i++)
        if (r->headers[i].name_bytes == 4 && memcmp(r->headers[i].name, "said", 4) == 0)
            for (size_t k = 0; k < r->headers[i].value_bytes && k < 9; k++)
                bits = bits * 10 + (unsigned)(r->headers[i].value[k] & 15);
    return bits;
}

static void take_said(struct js_result *r, unsigned said, struct js_header *reads,
                      struct js_header *tags)
{
    r->is_fetch = (said & SAID_FETCH) != 0;
    r->is_private = (said & SAID_PRIVATE) != 0;
    r->reads.cookie = (said & SAID_COOKIE) != 0;
    r->reads.authorization = (said & SAID_AUTHORIZATION) != 0;
    r->reads.all = (said & SAID_ALL) != 0;
    if (said & SAID_TIMES) {
        r->ttl_ms = (int64_t)(said >> 8) * 1000 - 100000;
        r->swr_ms = -r->ttl_ms;
        r->sie_ms = INT64_MAX;
    }
    r->reads.header = reads;
    r->tags = tags;
    for (size_t i = 0; i < r->header_count; i++) {
        const struct js_header *h = &r->headers[i];

        if (h->name_bytes == 5 && memcmp(h->name, "reads", 5) == 0 && h->value_bytes > 0)
            reads[r->reads.header_count++] = (struct js_header){h->value, h->value_bytes, "", 0};
        if (h->name_bytes == 3 && memcmp(h->name, "tag", 3) == 0 && h->value_bytes > 0)
            tags[r->tag_count++] = (struct js_header){h->value, h->value_bytes, "", 0};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static char *names[] = {(char *)"accept-language", (char *)"x-device"};
    static char *cookies[] = {(char *)"theme"};
    static struct status_ttl statuses[] = {{302, 0}, {404, 10000}, {500, 5000}};
    static const struct config_policy policies[] = {
        {.ttl_ms = CONFIG_TTL_AUTO},
        {.ttl_ms = 60000,
         .swr_ms = 1000,
         .sie_ms = 2000,
         .status = {statuses, array_len(statuses)},
         .key = {.headers = {names, array_len(names)}, .cookies = {cookies, 1}}}};
    struct js_header reads[HEADERS_MAX];
    struct js_header tags[HEADERS_MAX];
    const struct config_policy *policy;
    struct cache_asked asked = {.now_s = 1795161600};
    unsigned said;
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
    said = said_of(&result);
    take_said(&result, said, reads, tags);
    policy = &policies[(said & SAID_POLICY) != 0];
    asked.authorization = (said & SAID_ASKED) != 0;
    cache_policy_judge(policy, &result, &asked, &verdict);
    assert(!verdict.store || !has(&result, "set-cookie"));
    assert(!verdict.store || !(result.is_private || result.reads.authorization));
    assert(!verdict.store || !result.reads.cookie || (said & SAID_POLICY));
    assert(verdict.store || *verdict.detail);
    assert(verdict.ttl_ms <= CACHE_TTL_MAX_MS && verdict.tag_count <= PAGE_TAGS_MAX);
    reply_page_head(&text[0], policy, &result, &verdict, (struct span){"\"x\"", 3}, &about);
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
