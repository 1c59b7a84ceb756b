/* SPDX-License-Identifier: MIT */
/* cache_control.c - see cache_control.h. */
#include "worker/cache_control.h"

#include <string.h>
#include <strings.h>

static bool is(const char *data, size_t bytes, const char *text)
{
    return strlen(text) == bytes && strncasecmp(data, text, bytes) == 0;
}

void cache_control_init(struct cache_control *control)
{
    *control = (struct cache_control){.max_age_s = -1, .s_maxage_s = -1, .swr_s = -1, .sie_s = -1};
}

/* delta-seconds; what overflows is "very long"; what is no number, or is not there, is stale at once (RFC
 * 9111 4.2.1). */
static int64_t seconds(const char *at, const char *end)
{
    int64_t value = 0;

    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (end - at >= 2 && *at == '"' && end[-1] == '"') {
        at++;
        end--;
    }
    if (at == end)
        return 0;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return 0;
        if (value < INT32_MAX)
            value = value * 10 + (*at - '0');
    }
    return value < INT32_MAX ? value : INT32_MAX;
}

static void set_seconds(int64_t *field, int64_t value)
{
    if (*field < 0 || value < *field) /* said twice: the careful reading */
        *field = value;
}

static void word(const char *name, size_t name_bytes, struct cache_control *c)
{
    if (is(name, name_bytes, "no-store"))
        c->no_store = true;
    else if (is(name, name_bytes, "no-cache"))
        c->no_cache = true; /* with field names too: the careful reading */
    else if (is(name, name_bytes, "private"))
        c->is_private = true;
    else if (is(name, name_bytes, "public"))
        c->is_public = true;
    else if (is(name, name_bytes, "must-revalidate") || is(name, name_bytes, "proxy-revalidate"))
        c->must_revalidate = true;
    else if (is(name, name_bytes, "must-understand"))
        c->must_understand = true;
    else if (is(name, name_bytes, "only-if-cached"))
        c->only_if_cached = true;
    else if (is(name, name_bytes, "no-transform"))
        c->no_transform = true;
}

static int64_t *seconds_of(const char *name, size_t name_bytes, struct cache_control *c)
{
    if (is(name, name_bytes, "max-age"))
        return &c->max_age_s;
    if (is(name, name_bytes, "s-maxage"))
        return &c->s_maxage_s;
    if (is(name, name_bytes, "stale-while-revalidate"))
        return &c->swr_s;
    if (is(name, name_bytes, "stale-if-error"))
        return &c->sie_s;
    return NULL;
}

static void directive(const char *name, size_t name_bytes, const char *arg, const char *arg_end,
                      struct cache_control *c)
{
    int64_t *field = seconds_of(name, name_bytes, c);

    if (!field)
        word(name, name_bytes, c);
    else
        set_seconds(field, arg ? seconds(arg, arg_end) : 0);
}

void cache_control_parse(const char *value, size_t bytes, struct cache_control *control)
{
    const char *at = value;
    const char *end = value + bytes;

    while (at < end) {
        const char *name;
        const char *name_end;
        const char *arg = NULL;
        bool quoted = false;

        while (at < end && (*at == ' ' || *at == '\t' || *at == ','))
            at++;
        for (name = at; at < end && *at != '=' && *at != ',' && *at != ' ' && *at != '\t'; at++)
            ;
        name_end = at;
        if (at < end && *at == '=') {
            for (arg = ++at; at < end && (quoted || *at != ','); at++) {
                if (*at == '"')
                    quoted = !quoted;
                else if (quoted && *at == '\\' && at + 1 < end)
                    at++;
            }
        }
        directive(name, (size_t)(name_end - name), arg, at, control);
        while (at < end && *at != ',')
            at++;
    }
}

/* ---- CDN-Cache-Control: a dictionary of RFC 8941, section 4.2.2 ---- */

enum kind { KIND_BAD, KIND_TRUE, KIND_INTEGER, KIND_OTHER };

struct cursor {
    const char *at;
    const char *end;
};

static char peek(const struct cursor *c)
{
    return c->at < c->end ? *c->at : 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool take_key(struct cursor *c, struct span *ret_key)
{
    const char *start = c->at;

    if (!is_lower(peek(c)) && peek(c) != '*')
        return false;
    while (is_lower(peek(c)) || is_digit(peek(c)) || (peek(c) && strchr("_-.*", peek(c))))
        c->at++;
    *ret_key = (struct span){start, (size_t)(c->at - start)};
    return true;
}

static enum kind take_number(struct cursor *c, int64_t *ret_value)
{
    bool negative = peek(c) == '-';
    int digits = 0;
    int64_t value = 0;

    if (negative)
        c->at++;
    for (; is_digit(peek(c)); c->at++, digits++)
        if (digits < 15)
            value = value * 10 + (*c->at - '0');
    if (digits == 0 || digits > 15)
        return KIND_BAD;
    if (peek(c) != '.') {
        *ret_value = negative ? -value : value;
        return KIND_INTEGER;
    }
    c->at++;
    for (digits = 0; is_digit(peek(c)); c->at++)
        digits++;
    return digits >= 1 && digits <= 3 ? KIND_OTHER : KIND_BAD;
}

static enum kind take_string(struct cursor *c)
{
    for (c->at++; c->at < c->end; c->at++) {
        if (*c->at == '"') {
            c->at++;
            return KIND_OTHER;
        }
        if (*c->at == '\\') {
            c->at++;
            if (peek(c) != '"' && peek(c) != '\\')
                return KIND_BAD;
        } else if ((unsigned char)*c->at < ' ' || (unsigned char)*c->at > '~') {
            return KIND_BAD;
        }
    }
    return KIND_BAD;
}

/* A run of the characters between which a token, or the base64 between two colons, is made of. */
static enum kind take_run(struct cursor *c, const char *others)
{
    while (is_digit(peek(c)) || is_lower((char)(peek(c) | 0x20)) ||
           (peek(c) && strchr(others, peek(c))))
        c->at++;
    return KIND_OTHER;
}

static enum kind take_item(struct cursor *c, int64_t *ret_value)
{
    char first = peek(c);

    if (first == '-' || is_digit(first))
        return take_number(c, ret_value);
    if (first == '"')
        return take_string(c);
    if (first == '*' || is_lower((char)(first | 0x20)))
        return take_run(c, "!#$%&'*+-.^_`|~:/");
    if (first == ':') {
        c->at++;
        (void)take_run(c, "+/=");
        if (peek(c) != ':')
            return KIND_BAD;
        c->at++;
        return KIND_OTHER;
    }
    if (first != '?' || c->end - c->at < 2 || (c->at[1] != '0' && c->at[1] != '1'))
        return KIND_BAD;
    c->at += 2;
    return c->at[-1] == '1' ? KIND_TRUE : KIND_OTHER;
}

static void skip(struct cursor *c, const char *blanks)
{
    while (peek(c) && strchr(blanks, peek(c)))
        c->at++;
}

static bool take_parameters(struct cursor *c)
{
    struct span key;
    int64_t value;

    while (peek(c) == ';') {
        c->at++;
        skip(c, " ");
        if (!take_key(c, &key))
            return false;
        if (peek(c) != '=')
            continue;
        c->at++;
        if (take_item(c, &value) == KIND_BAD)
            return false;
    }
    return true;
}

static enum kind take_inner_list(struct cursor *c)
{
    int64_t value;

    for (c->at++;;) {
        skip(c, " ");
        if (peek(c) == ')') {
            c->at++;
            return KIND_OTHER;
        }
        if (take_item(c, &value) == KIND_BAD || !take_parameters(c) ||
            (peek(c) != ' ' && peek(c) != ')'))
            return KIND_BAD;
    }
}

static bool take_member(struct cursor *c, struct cache_control *control)
{
    enum kind kind = KIND_TRUE;
    int64_t value = 0;
    int64_t *field;
    struct span key;

    if (!take_key(c, &key))
        return false;
    if (peek(c) == '=') {
        c->at++;
        kind = peek(c) == '(' ? take_inner_list(c) : take_item(c, &value);
    }
    if (kind == KIND_BAD || !take_parameters(c))
        return false;
    field = seconds_of(key.data, key.bytes, control);
    if (!field) {
        if (kind == KIND_TRUE)
            word(key.data, key.bytes, control);
        else if (is(key.data, key.bytes, "no-cache") || is(key.data, key.bytes, "private"))
            word(key.data, key.bytes, control); /* with field names */
        return true;
    }
    if (kind != KIND_INTEGER)
        return false;
    *field = value < 0 ? 0 : value < INT32_MAX ? value : INT32_MAX;
    return true;
}

bool cache_control_parse_cdn(const char *data, size_t bytes, struct cache_control *control)
{
    struct cursor c = {data, data + bytes};

    skip(&c, " ");
    while (c.at < c.end) {
        if (!take_member(&c, control))
            return false;
        skip(&c, " \t");
        if (c.at == c.end)
            return true;
        if (*c.at++ != ',')
            return false;
        skip(&c, " \t");
        if (c.at == c.end)
            return false; /* a comma at the end */
    }
    return true;
}
