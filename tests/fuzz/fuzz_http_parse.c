/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http_parse.c - requests from the network. The first byte says how the rest is cut into
 * reads. Beyond not crashing: a request is judged the same however it is cut, and what is accepted
 * holds no line end, has a host if it must, and lies inside its head.
 */
#include "worker/http_parse.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct http_limits limits = {4096, 2048};

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
