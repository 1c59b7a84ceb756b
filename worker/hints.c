/* SPDX-License-Identifier: MIT */
/* hints.c - see hints.h. */
#include "worker/hints.h"

#include <mimalloc.h>
#include <string.h>
#include <strings.h>

#define PLACES 1024u /* a page has one, by its hash; whoever comes later takes it */

struct hint {
    uint64_t hash;
    size_t bytes;
    char *text;
};

struct hints {
    struct hint place[PLACES];
};

struct hints *hints_new(void)
{
    return calloc(1, sizeof(struct hints));
}

void hints_free(struct hints *hints)
{
    if (!hints)
        return;
    for (size_t i = 0; i < PLACES; i++)
        mi_free(hints->place[i].text);
    free(hints);
}

/* ---- one link: <target>; name=value; name="value" ---- */

/* Where it ends: a comma outside of <> and quotes, or the end of all. */
static const char *link_end(const char *at, const char *end)
{
    char until = 0;

    for (; at < end; at++) {
        if (until == '"' && *at == '\\' && at + 1 < end)
            at++;
        else if (until && *at == until)
            until = 0;
        else if (!until && *at == ',')
            return at;
        else if (!until && *at == '<')
            until = '>';
        else if (!until && *at == '"')
            until = '"';
    }
    return end;
}

static struct span trim(struct span text)
{
    while (text.bytes > 0 && (*text.data == ' ' || *text.data == '\t')) {
        text.data++;
        text.bytes--;
    }
    while (text.bytes > 0 &&
           (text.data[text.bytes - 1] == ' ' || text.data[text.bytes - 1] == '\t'))
        text.bytes--;
    return text;
}

/* False: no link. */
static bool take_target(struct span link, struct span *ret_target, struct span *ret_rest)
{
    const char *close = link.bytes > 0 ? memchr(link.data, '>', link.bytes) : NULL;

    if (!close || link.data[0] != '<')
        return false;
    *ret_target = (struct span){link.data + 1, (size_t)(close - link.data - 1)};
    *ret_rest = (struct span){close + 1, link.bytes - (size_t)(close + 1 - link.data)};
    return true;
}

static bool acts_early(struct span rel)
{
    static const char *const rels[] = {"preload", "modulepreload", "preconnect"};
    const char *at = rel.data;
    const char *end = at + rel.bytes;

    while (at < end) {
        const char *stop = memchr(at, ' ', (size_t)(end - at));
        size_t bytes = (size_t)((stop ? stop : end) - at);

        for (size_t i = 0; i < array_len(rels); i++)
            if (bytes == strlen(rels[i]) && strncasecmp(at, rels[i], bytes) == 0)
                return true;
        at += bytes + 1;
    }
    return false;
}

/* The first parameter rel counts (section 3.3). */
static bool is_early(struct span parameters)
{
    const char *at = parameters.data;
    const char *end = at + parameters.bytes;

    while (at < end && (at = memchr(at, ';', (size_t)(end - at)))) {
        const char *next = ++at;
        const char *equals;
        struct span name, value;
        bool quoted = false;

        for (; next < end && (quoted || *next != ';'); next++)
            quoted ^= *next == '"';
        equals = memchr(at, '=', (size_t)(next - at));
        name = trim((struct span){at, (size_t)((equals ? equals : next) - at)});
        at = next;
        if (!equals || name.bytes != 3 || strncasecmp(name.data, "rel", 3) != 0)
            continue;
        value = trim((struct span){equals + 1, (size_t)(next - equals - 1)});
        if (value.bytes >= 2 && value.data[0] == '"' && value.data[value.bytes - 1] == '"')
            value = (struct span){value.data + 1, value.bytes - 2};
        return acts_early(value);
    }
    return false;
}

/* Our own, and so anyone's: below the prefix of a folder that is not the whole site. */
static bool is_file(struct span target, const struct config_static_list *folders)
{
    if (memmem(target.data, target.bytes, "..", 2))
        return false;
    for (size_t i = 0; i < folders->count; i++) {
        const char *prefix = folders->item[i].prefix;
        size_t bytes = strlen(prefix);

        if (bytes > 1 && target.bytes > bytes && memcmp(target.data, prefix, bytes) == 0)
            return true;
    }
    return false;
}

void hints_pick(struct span value, const struct config_static_list *only, struct reply_text *text)
{
    const char *at = value.data;
    const char *end = at + value.bytes;

    while (at < end) {
        const char *stop = link_end(at, end);
        struct span link = trim((struct span){at, (size_t)(stop - at)});
        struct span target, rest;

        at = stop < end ? stop + 1 : end;
        if (!take_target(link, &target, &rest) || !is_early(rest) ||
            (only && !is_file(target, only)) || text->bytes + link.bytes + 2 > text->cap_bytes)
            continue;
        if (text->bytes > 0)
            reply_add_literal(text, ", ");
        reply_add(text, link.data, link.bytes);
    }
}

/* ---- the table ---- */

void hints_note(struct hints *hints, uint64_t hash, const struct js_result *result,
                const struct config_static_list *only)
{
    struct hint *hint = &hints->place[hash % PLACES];
    char buf[HINTS_BYTES_MAX];
    struct reply_text text = {buf, 0, sizeof buf, false};
    char *copy;

    for (size_t i = 0; i < result->header_count; i++) {
        const struct js_header *h = &result->headers[i];

        if (h->name_bytes == 4 && memcmp(h->name, "link", 4) == 0)
            hints_pick((struct span){h->value, h->value_bytes}, only, &text);
    }
    if (text.bytes == 0 && hint->hash != hash)
        return;
    if (hint->hash == hash && hint->bytes == text.bytes &&
        (text.bytes == 0 || memcmp(hint->text, buf, text.bytes) == 0))
        return;
    copy = text.bytes > 0 ? mi_malloc(text.bytes) : NULL;
    mi_free(hint->text);
    *hint = (struct hint){hash, copy ? text.bytes : 0, copy};
    if (copy)
        memcpy(copy, buf, text.bytes);
}

struct span hints_get(const struct hints *hints, uint64_t hash)
{
    const struct hint *hint = &hints->place[hash % PLACES];

    if (hint->hash != hash || hint->bytes == 0)
        return (struct span){NULL, 0};
    return (struct span){hint->text, hint->bytes};
}
