/* SPDX-License-Identifier: MIT */
/* key.c - see key.h. */
#include "worker/key.h"

#include "shm/keypath.h"
#include "worker/key_text.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define KEY_SEED 0x73737264u /* fixed, since the cold cache may be a file that outlives us */

uint64_t key_hash(const char *data, size_t bytes)
{
    return XXH3_64bits_withSeed(data, bytes, KEY_SEED);
}

bool key_cookie(const struct http_parse *head, const char *name, size_t name_bytes,
                struct span *ret_value)
{
    for (int i = http_parse_find(head, "cookie", 6, 0); i >= 0;
         i = http_parse_find(head, "cookie", 6, i + 1)) {
        struct span value = http_parse_value(head, i);
        const char *at = value.data;
        const char *end = at + value.bytes;

        while (at < end) {
            const char *stop = memchr(at, ';', (size_t)(end - at));
            const char *equals;

            if (!stop)
                stop = end;
            while (at < stop && (*at == ' ' || *at == '\t'))
                at++;
            equals = memchr(at, '=', (size_t)(stop - at));
            if (equals && (size_t)(equals - at) == name_bytes &&
                memcmp(at, name, name_bytes) == 0) {
                *ret_value = (struct span){equals + 1, (size_t)(stop - equals - 1)};
                return true;
            }
            at = stop + 1;
        }
    }
    return false;
}

bool key_is_bypass(const struct config_policy *policy, const struct http_parse *head)
{
    struct span value;

    for (size_t i = 0; i < policy->bypass_headers.count; i++) {
        const char *name = policy->bypass_headers.item[i];

        if (http_parse_find(head, name, strlen(name), 0) >= 0)
            return true;
    }
    for (size_t i = 0; i < policy->bypass_cookies.count; i++) {
        const char *name = policy->bypass_cookies.item[i];

        if (key_cookie(head, name, strlen(name), &value))
            return true;
    }
    return false;
}

static bool add_lower(struct key_text *t, struct span from)
{
    if (from.bytes > t->cap_bytes - t->bytes)
        return false;
    for (size_t i = 0; i < from.bytes; i++) {
        char c = from.data[i];

        t->data[t->bytes++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    return true;
}

/* All fields of the name, joined as the render sees them joined (js_request.cc): what it can tell
 * apart the key must tell apart. */
static bool add_header(struct key_text *t, const struct http_parse *head, const char *name)
{
    size_t name_bytes = strlen(name);
    const char *between = strcasecmp(name, "cookie") == 0 ? "; " : ", ";
    int i = http_parse_find(head, name, name_bytes, 0);

    if (!key_text_add(t, "\n=", i >= 0 ? 2 : 1))
        return false;
    while (i >= 0) {
        struct span value = http_parse_value(head, i);

        if (!key_text_add(t, value.data, value.bytes))
            return false;
        i = http_parse_find(head, name, name_bytes, i + 1);
        if (i >= 0 && !key_text_add(t, between, 2))
            return false;
    }
    return true;
}

static bool add_cookie(struct key_text *t, const struct http_parse *head, const char *name)
{
    struct span value;

    if (!key_cookie(head, name, strlen(name), &value))
        return key_text_add(t, "\n", 1);
    return key_text_add(t, "\n=", 2) && key_text_add(t, value.data, value.bytes);
}

/* The data as it is, not its hash: a back end is trusted, but its users' words are in the data, and
 * two texts that agree under XXH3 can be written down (its secret is public). */
static bool add_extra(struct key_text *t, struct span extra)
{
    return key_text_add(t, "\n#", 2) && key_text_add(t, extra.data, extra.bytes);
}

int key_build(const struct config_key *policy, const struct http_parse *head, struct span extra,
              char *buf, size_t cap_bytes, struct key *ret_key)
{
    struct key_text t = {buf, 0, cap_bytes};
    struct span target = http_parse_target(head);
    size_t path_offset;
    size_t path_bytes = target.bytes;

    if (unlikely(head->https) && !key_text_add(&t, "https|", 6))
        return -ENOBUFS;
    if (!add_lower(&t, http_parse_host(head)))
        return -ENOBUFS;
    path_offset = t.bytes;
    if (head->path_bytes == target.bytes) { /* without a query the path stands as it is */
        if (!key_text_add(&t, target.data, target.bytes))
            return -ENOBUFS;
    } else {
        int error = keypath_normalise(policy, target.data, target.bytes, buf + t.bytes,
                                      cap_bytes - t.bytes, &path_bytes);

        if (error)
            return error;
        t.bytes += path_bytes;
    }
    for (size_t i = 0; i < policy->headers.count; i++)
        if (!add_header(&t, head, policy->headers.item[i]))
            return -ENOBUFS;
    for (size_t i = 0; i < policy->cookies.count; i++)
        if (!add_cookie(&t, head, policy->cookies.item[i]))
            return -ENOBUFS;
    if (extra.bytes > 0 && !add_extra(&t, extra))
        return -ENOBUFS;
    *ret_key = (struct key){
        .data = buf,
        .bytes = t.bytes,
        .hash = key_hash(buf, t.bytes),
        .primary_bytes = (uint32_t)t.bytes,
        .path_offset = (uint32_t)path_offset,
        .path_bytes = (uint32_t)path_bytes,
    };
    return 0;
}
