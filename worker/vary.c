/* SPDX-License-Identifier: MIT */
/* vary.c - see vary.h. */
#include "worker/vary.h"

#include "worker/key_text.h"

#include <errno.h>
#include <string.h>

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static bool is(struct span s, const char *text)
{
    return strlen(text) == s.bytes && memcmp(s.data, text, s.bytes) == 0;
}

/* The name that begins at `at`, up to a newline. */
static struct span name_at(const struct vary *v, size_t at)
{
    const char *end = memchr(v->text + at, '\n', v->bytes - at);

    return (struct span){v->text + at, end ? (size_t)(end - v->text) - at : v->bytes - at};
}

static int compare(struct span a, struct span b)
{
    int order = memcmp(a.data, b.data, a.bytes < b.bytes ? a.bytes : b.bytes);

    return order != 0 ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

/* What stands in a list of names as "*" (RFC 9111 section 4.1) or is no token tells nothing that a key could
 * hold. */
static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.bytes; i++) {
        char c = name.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
              (c > ' ' && strchr("!#$%&'+-.^_`|~", c))))
            return false;
    }
    return name.bytes > 0;
}

static bool insert(struct vary *v, size_t at, struct span name)
{
    size_t bytes = name.bytes + (v->count > 0);

    if (v->count == VARY_NAMES_MAX || bytes > sizeof v->text - v->bytes)
        return false;
    if (at == v->bytes && v->count > 0) { /* last: the newline goes before it */
        v->text[at] = '\n';
        memcpy(v->text + at + 1, name.data, name.bytes);
    } else {
        memmove(v->text + at + bytes, v->text + at, v->bytes - at);
        memcpy(v->text + at, name.data, name.bytes);
        if (v->count > 0)
            v->text[at + name.bytes] = '\n';
    }
    v->bytes += bytes;
    v->count++;
    return true;
}

bool vary_add(struct vary *v, const char *sent, size_t name_bytes)
{
    char text[128];
    struct span name = {text, name_bytes};
    size_t at = 0;

    if (name_bytes > sizeof text)
        return false;
    for (size_t i = 0; i < name_bytes; i++)
        text[i] = lower(sent[i]);
    if (!is_name(name))
        return false;
    while (at < v->bytes) {
        struct span there = name_at(v, at);
        int order = compare(name, there);

        if (order == 0)
            return true;
        if (order < 0)
            break;
        at += there.bytes;
        at += at < v->bytes;
    }
    return insert(v, at, name);
}

bool vary_has(const struct vary *v, const char *name, size_t name_bytes)
{
    for (size_t at = 0; at < v->bytes;) {
        struct span there = name_at(v, at);

        if (there.bytes == name_bytes && memcmp(there.data, name, name_bytes) == 0)
            return true;
        at += there.bytes + 1;
    }
    return false;
}

bool vary_from_record(struct vary *v, const struct page *page)
{
    const struct page_variant *text = page_variant(page, PAGE_IDENTITY);
    const char *at = page_at(page, text->body_offset);
    const char *end = at + text->body_bytes;

    vary_init(v);
    if (!page_is_vary(page) || !page_has(page, PAGE_IDENTITY))
        return false;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));

        if (!stop)
            stop = end;
        if (!vary_add(v, at, (size_t)(stop - at)))
            return false;
        at = stop + 1;
    }
    return v->count > 0;
}

/* Lines behind "\n?": name, or name=value. Neither holds a newline. */
bool vary_from_key(struct vary *v, const struct key *key)
{
    const char *at = key->data + key->primary_bytes;
    const char *end = key->data + key->bytes;

    vary_init(v);
    if (end - at < 2 || memcmp(at, "\n?", 2) != 0)
        return false;
    for (at += 2; at < end;) {
        const char *name = at + 1;
        const char *stop = memchr(name, '\n', (size_t)(end - name));
        const char *equals;

        if (!stop)
            stop = end;
        equals = memchr(name, '=', (size_t)(stop - name));
        if (!vary_add(v, name, (size_t)((equals ? equals : stop) - name)))
            return false;
        at = stop;
    }
    return true;
}

/* ---- the key of a variant ---- */

size_t vary_normalise(struct span name, struct span value, char *out)
{
    bool folds =
        is(name, "accept-language") || is(name, "accept-encoding") || is(name, "accept-charset");
    bool quoted = false;
    size_t bytes = 0;

    for (size_t i = 0; i < value.bytes; i++) {
        char c = value.data[i];

        if (quoted) {
            quoted = c != '"';
            out[bytes++] = c;
            if (c == '\\' && i + 1 < value.bytes)
                out[bytes++] = value.data[++i];
            continue;
        }
        if ((c == ' ' || c == '\t') && (bytes == 0 || out[bytes - 1] == ','))
            continue;
        if (c == ',')
            while (bytes > 0 && (out[bytes - 1] == ' ' || out[bytes - 1] == '\t'))
                bytes--;
        quoted = c == '"';
        out[bytes++] = folds ? lower(c) : c;
    }
    return bytes;
}

/* Several fields of one name are one list (RFC 9110 section 5.3). */
static bool add_values(struct key_text *t, const struct http_parse *head, struct span name)
{
    const char *before = "=";

    for (int i = http_parse_find(head, name.data, name.bytes, 0); i >= 0;
         i = http_parse_find(head, name.data, name.bytes, i + 1)) {
        struct span value = http_parse_value(head, i);

        if (!key_text_add(t, before, 1) || value.bytes > t->cap_bytes - t->bytes)
            return false;
        t->bytes += vary_normalise(name, value, t->data + t->bytes);
        before = ",";
    }
    return true;
}

static bool is_guard(struct span name)
{
    return is(name, "cookie") || is(name, "authorization");
}

int vary_key(const struct vary *v, const struct http_parse *head, char *buf, size_t cap_bytes,
             struct key *key)
{
    struct key_text t = {buf, key->primary_bytes, cap_bytes};

    if (!key_text_add(&t, "\n?", 2))
        return -ENOBUFS;
    for (size_t at = 0; at < v->bytes;) {
        struct span name = name_at(v, at);

        if (is_guard(name) && http_parse_find(head, name.data, name.bytes, 0) >= 0)
            return -EACCES;
        if (!key_text_add(&t, "\n", 1) || !key_text_add(&t, name.data, name.bytes) ||
            !add_values(&t, head, name))
            return -ENOBUFS;
        at += name.bytes + 1;
    }
    key->data = buf;
    key->bytes = t.bytes;
    key->hash = key_hash(buf, t.bytes);
    return 0;
}
