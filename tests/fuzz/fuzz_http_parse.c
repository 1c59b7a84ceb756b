/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http_parse.c - requests from the network. The first byte says how the rest is cut into
 * reads. Beyond not crashing: a request is judged the same however it is cut; what is accepted
 * holds no line end, has a host if it must, and lies inside its head; the fields that are noted are those that are there; and
 * a chunked body that is whole is one by the grammar of RFC 9112 section 7.1, read here without llhttp.
 */
#include "worker/http_parse.h"

#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct http_limits limits = {12000, 2048};

struct outcome {
    enum http_progress head;
    enum http_progress body;
    size_t used;
    uint64_t body_bytes;
};

static bool has_line_end(struct span s)
{
    return memchr(s.data, '\r', s.bytes) || memchr(s.data, '\n', s.bytes) ||
           memchr(s.data, 0, s.bytes);
}

static bool is_forwarded(struct span name)
{
    return (name.bytes == 9 && strncasecmp(name.data, "forwarded", 9) == 0) ||
           (name.bytes > 12 && strncasecmp(name.data, "x-forwarded-", 12) == 0);
}

static void check_noted(const struct http_parse *p)
{
    static const char *const names[] = {"if-match",          "if-none-match",
                                        "if-modified-since", "if-unmodified-since",
                                        "if-range",          "range"};
    int encoding = http_parse_find(p, "accept-encoding", 15, 0);
    unsigned conditions = 0;
    bool forwarded = false;

    for (int i = 0; i < p->field_count; i++)
        forwarded |= is_forwarded(http_parse_name(p, i));
    assert(p->forwarded == forwarded);
    for (unsigned i = 0; i < array_len(names); i++)
        if (http_parse_find(p, names[i], strlen(names[i]), 0) >= 0)
            conditions |= 1u << i;
    assert(p->conditions == conditions);
    if (encoding >= 0 && http_parse_find(p, "accept-encoding", 15, encoding + 1) >= 0)
        encoding = HTTP_SEVERAL;
    assert(p->accept_encoding == encoding);
}

/* ---- a chunked body by its grammar ---- */

struct chunked {
    const char *at;
    const char *end;
    uint64_t body_bytes;
};

static bool is_token(char c)
{
    return c &&
           (strchr("!#$%&'*+-.^_`|~0123456789", c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'));
}

static bool step_over(struct chunked *c, const char *text)
{
    size_t n = strlen(text);

    if ((size_t)(c->end - c->at) < n || memcmp(c->at, text, n) != 0)
        return false;
    c->at += n;
    return true;
}

static bool take_token(struct chunked *c)
{
    const char *start = c->at;

    while (c->at < c->end && is_token(*c->at))
        c->at++;
    return c->at > start;
}

static bool take_text(struct chunked *c, const char *stop)
{
    while (c->at < c->end && (*c->at == '\t' || (unsigned char)*c->at >= ' ') && *c->at != 0x7f &&
           !strchr(stop, *c->at))
        c->at++;
    return true;
}

static bool take_extension(struct chunked *c)
{
    if (!take_token(c))
        return false;
    if (!step_over(c, "="))
        return true;
    if (!step_over(c, "\""))
        return take_token(c);
    return take_text(c, "\"") && step_over(c, "\"");
}

/* size, extensions, data; *ret_bytes of data */
static bool take_chunk(struct chunked *c, uint64_t *ret_bytes)
{
    static const char hex[] = "0123456789abcdef";
    const char *digit;
    const char *start = c->at;

    for (*ret_bytes = 0;
         c->at < c->end && *c->at && (digit = strchr(hex, *c->at | ((*c->at & 0x40) >> 1)));
         c->at++)
        *ret_bytes = *ret_bytes * 16 + (uint64_t)(digit - hex);
    if (c->at == start)
        return false;
    while (step_over(c, ";"))
        if (!take_extension(c))
            return false;
    if (!step_over(c, "\r\n") || *ret_bytes > (uint64_t)(c->end - c->at))
        return false;
    c->at += *ret_bytes;
    c->body_bytes += *ret_bytes;
    return *ret_bytes == 0 || step_over(c, "\r\n");
}

static bool take_chunked(struct chunked *c)
{
    uint64_t bytes;

    do {
        if (!take_chunk(c, &bytes))
            return false;
    } while (bytes > 0);
    while (!step_over(c, "\r\n"))
        if (!take_token(c) || !step_over(c, ":") || !take_text(c, "") || !step_over(c, "\r\n"))
            return false;
    return true;
}

static void check_head(const struct http_parse *p, size_t bytes)
{
    struct span target = http_parse_target(p);

    assert(p->head_bytes <= bytes && p->head_bytes <= limits.head_bytes);
    assert(memcmp(p->base + p->head_bytes - 4, "\r\n\r\n", 4) == 0);
    assert(target.bytes > 0 && target.bytes <= HTTP_TARGET_BYTES_MAX);
    assert(target.data + target.bytes < p->base + p->head_bytes);
    assert(target.data[0] == '/' || p->asterisk);
    assert(p->path_bytes <= target.bytes && !has_line_end(target));
    assert(p->host_bytes > 0 || p->minor == 0);
    assert(p->host_bytes <= HTTP_HOST_BYTES_MAX && !has_line_end(http_parse_host(p)));
    assert(!p->chunked || p->content_length == 0);
    check_noted(p);
    for (int i = 0; i < p->field_count; i++) {
        struct span name = http_parse_name(p, i);
        struct span value = http_parse_value(p, i);

        assert(name.bytes > 0 && !has_line_end(name) && !memchr(name.data, ':', name.bytes));
        assert(value.data + value.bytes <= p->base + p->head_bytes && !has_line_end(value));
    }
}

/* step 0: all at once */
static struct outcome run(const char *data, size_t bytes, size_t step)
{
    struct outcome o = {HTTP_MORE, HTTP_MORE, 0, 0};
    struct http_parse p;
    size_t have = 0;

    http_parse_init(&p, &limits);
    while (o.head == HTTP_MORE && have < bytes) {
        have = step && bytes - have > step ? have + step : bytes;
        o.head = http_parse_head(&p, data, have);
    }
    if (o.head == HTTP_REFUSED)
        assert(p.status >= 400 && p.status < 600 && p.reason);
    if (o.head != HTTP_WHOLE)
        return o;
    check_head(&p, bytes);
    o.used = p.head_bytes;
    while (p.has_body && o.body == HTTP_MORE && o.used < bytes) {
        size_t n = step && bytes - o.used > step ? step : bytes - o.used;
        size_t used = 0;

        o.body = http_parse_body(&p, data + o.used, n, NULL, NULL, &used);
        assert(used <= n);
        o.used += used;
    }
    o.body_bytes = p.body_bytes;
    if (p.chunked && o.body == HTTP_WHOLE) {
        struct chunked c = {data + p.head_bytes, data + o.used, 0};

        assert(take_chunked(&c) && c.at == c.end && c.body_bytes == o.body_bytes);
    }
    assert(o.body != HTTP_WHOLE || p.body_bytes <= limits.body_bytes);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct outcome whole;
    struct outcome cut;

    if (bytes < 2)
        return 0;
    whole = run((const char *)data + 1, bytes - 1, 0);
    cut = run((const char *)data + 1, bytes - 1, data[0] % 32 + 1u);
    assert(whole.head == cut.head);
    if (whole.head == HTTP_WHOLE && whole.body == HTTP_WHOLE) {
        assert(cut.body == HTTP_WHOLE && whole.used == cut.used);
        assert(whole.body_bytes == cut.body_bytes);
    }
    return 0;
}
