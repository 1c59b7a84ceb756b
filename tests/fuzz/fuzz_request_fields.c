/* SPDX-License-Identifier: MIT */
/*
 * fuzz_request_fields.c - what the fields of a request come to, beside its parse: conditions, ranges, cookies, codings, and the
 * keys of variants. The input is the lines of fields. Beyond not crashing: a cookie's value lies in a Cookie field, a
 * weak comparison takes whatever a strong one takes, and a variant's key says by which names it was made.
 */
#include "shm/page.h"
#include "worker/condition.h"
#include "worker/http_accept.h"
#include "worker/key.h"
#include "worker/vary.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define NOW_S 1795161600u

static const char line[] = "GET /a?b=1&a=2 HTTP/1.1\r\nHost: a\r\n";

static bool lies_in(struct span outer, struct span inner)
{
    return inner.data >= outer.data && inner.data + inner.bytes <= outer.data + outer.bytes;
}

static void check_cookie(const struct http_parse *head)
{
    struct span value;
    bool found = false;

    if (!key_cookie(head, "theme", 5, &value))
        return;
    assert(!memchr(value.data, ';', value.bytes));
    assert(memcmp(value.data - 6, "theme=", 6) == 0);
    for (int i = http_parse_find(head, "cookie", 6, 0); i >= 0;
         i = http_parse_find(head, "cookie", 6, i + 1))
        found = found || lies_in(http_parse_value(head, i), value);
    assert(found);
}

static void check_conditions(const struct http_parse *head)
{
    static const struct condition_page pages[] = {
        {{"\"a\"", 3}, true, 1000}, {{"W/\"a\"", 5}, true, NOW_S}, {{"", 0}, false, 0}};
    int i = http_parse_find(head, "if-match", 8, 0);

    for (size_t k = 0; k < array_len(pages); k++) {
        (void)condition_judge(head, &pages[k], NOW_S);
        (void)condition_range(head, &pages[k], NOW_S);
    }
    if (i >= 0 && condition_names(http_parse_value(head, i), pages[0].etag, true))
        assert(condition_names(http_parse_value(head, i), pages[0].etag, false));
}

static void check_variant(const struct http_parse *head)
{
    static const struct config_key policy = {.query = QUERY_ALL};
    char text[PAGE_KEY_BYTES_MAX];
    struct vary vary;
    struct vary again;
    struct key key;

    vary_init(&vary);
    for (int i = 0; i < head->field_count; i++)
        (void)vary_add(&vary, http_parse_name(head, i).data, http_parse_name(head, i).bytes);
    if (vary.count == 0 ||
        key_build(&policy, head, (struct span){NULL, 0}, text, sizeof text, &key) != 0 ||
        vary_key(&vary, head, text, sizeof text, &key) != 0)
        return;
    assert(vary_from_key(&again, &key));
    assert(again.count == vary.count && again.bytes == vary.bytes);
    assert(memcmp(again.text, vary.text, vary.bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const struct http_limits limits = {65536, 0};
    size_t text_bytes = sizeof line - 1 + bytes + 2;
    char *text = malloc(text_bytes);
    struct http_parse head;

    if (!text)
        abort();
    memcpy(text, line, sizeof line - 1);
    memcpy(text + sizeof line - 1, data, bytes);
    memcpy(text + text_bytes - 2, "\r\n", 2);
    http_parse_init(&head, &limits);
    if (http_parse_head(&head, text, text_bytes) == HTTP_WHOLE) {
        check_cookie(&head);
        check_conditions(&head);
        check_variant(&head);
        if (head.accept_encoding >= 0)
            (void)http_accept_parse(http_parse_value(&head, head.accept_encoding));
    }
    free(text);
    return 0;
}
