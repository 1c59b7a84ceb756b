/* SPDX-License-Identifier: MIT */
/* condition.c - see condition.h. */
#include "worker/condition.h"

#include "worker/http_date.h"

#include <string.h>

static bool is_weak(struct span tag)
{
    return tag.bytes >= 2 && tag.data[0] == 'W' && tag.data[1] == '/';
}

static struct span opaque(struct span tag)
{
    return is_weak(tag) ? (struct span){tag.data + 2, tag.bytes - 2} : tag;
}

static bool same(struct span a, struct span b)
{
    return a.bytes == b.bytes && memcmp(a.data, b.data, a.bytes) == 0;
}

/* The next tag of a list; false: its end, or what is no tag from there on. */
static bool next_tag(const char **at, const char *end, struct span *ret_tag)
{
    const char *start;
    const char *quote;

    while (*at < end && (**at == ' ' || **at == '\t' || **at == ','))
        ++*at;
    start = quote = *at;
    if (end - quote >= 2 && quote[0] == 'W' && quote[1] == '/')
        quote += 2;
    if (quote == end)
        return false;
    if (*quote == '"') { /* an opaque tag may hold commas */
        quote = memchr(quote + 1, '"', (size_t)(end - quote - 1));
        if (!quote)
            return false;
        quote++;
    } else { /* without quotes: no tag by the grammar, but some send it */
        while (quote < end && *quote != ',')
            quote++;
    }
    *ret_tag = (struct span){start, (size_t)(quote - start)};
    *at = quote;
    return true;
}

bool condition_names(struct span list, struct span etag, bool strong)
{
    const char *at = list.data;
    const char *end = list.data + list.bytes;
    struct span tag;

    if (list.bytes == 1 && *list.data == '*')
        return true;
    if (etag.bytes == 0 || (strong && is_weak(etag)))
        return false;
    while (next_tag(&at, end, &tag))
        if (!(strong && is_weak(tag)) && same(opaque(tag), opaque(etag)))
            return true;
    return false;
}

/* The value of a field that is there once; more than one is as if there were none. */
static bool only_one(const struct http_parse *head, const char *name, struct span *ret_value)
{
    size_t bytes = strlen(name);
    int i = http_parse_find(head, name, bytes, 0);

    if (i < 0 || http_parse_find(head, name, bytes, i + 1) >= 0)
        return false;
    *ret_value = http_parse_value(head, i);
    return true;
}

/* Of a list the fields may be several. */
static bool any_names(const struct http_parse *head, const char *name, struct span etag,
                      bool strong, bool *ret_match)
{
    size_t bytes = strlen(name);
    int i = http_parse_find(head, name, bytes, 0);

    *ret_match = false;
    if (i < 0)
        return false;
    for (; i >= 0 && !*ret_match; i = http_parse_find(head, name, bytes, i + 1))
        *ret_match = condition_names(http_parse_value(head, i), etag, strong);
    return true;
}

/* Was the page changed after the date in the field? False too when either is no date: *ret_known. */
static bool changed_since(const struct http_parse *head, const char *name,
                          const struct condition_page *page, uint64_t now_s, bool *ret_known)
{
    struct span since;
    uint64_t since_s;

    *ret_known = page->has_date && only_one(head, name, &since) &&
                 http_date_parse(since, now_s, &since_s) == 0;
    return *ret_known && page->modified_s > since_s;
}

enum condition condition_judge(const struct http_parse *head, const struct condition_page *page,
                               uint64_t now_s)
{
    bool has = false;
    bool match = false;
    bool known = false;
    bool changed = false;

    if (head->conditions & HTTP_IF_MATCH) {
        (void)any_names(head, "if-match", page->etag, true, &match);
        if (!match)
            return CONDITION_FAILED;
    } else if (head->conditions & HTTP_IF_UNMODIFIED_SINCE) {
        if (changed_since(head, "if-unmodified-since", page, now_s, &known))
            return CONDITION_FAILED;
        known = false;
    }
    if (head->conditions & HTTP_IF_NONE_MATCH) {
        has = any_names(head, "if-none-match", page->etag, false, &match);
        return has && match ? CONDITION_NOT_MODIFIED : CONDITION_SEND;
    }
    if (head->conditions & HTTP_IF_MODIFIED_SINCE)
        changed = changed_since(head, "if-modified-since", page, now_s, &known);
    return known && !changed ? CONDITION_NOT_MODIFIED : CONDITION_SEND;
}

bool condition_range(const struct http_parse *head, const struct condition_page *page,
                     uint64_t now_s)
{
    struct span value;
    uint64_t date_s;

    if (!(head->conditions & HTTP_IF_RANGE))
        return true;
    if (!only_one(head, "if-range", &value))
        return false;
    if (memchr(value.data, '"', value.bytes))
        return page->etag.bytes > 0 && !is_weak(value) && same(value, page->etag);
    return page->has_date && http_date_parse(value, now_s, &date_s) == 0 &&
           date_s == page->modified_s;
}
