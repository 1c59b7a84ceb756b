/* SPDX-License-Identifier: MIT */
/* fetch_head.c - see fetch_head.h. */
#include "worker/fetch_head.h"

#include <errno.h>
#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t trim(const char **text, size_t bytes)
{
    while (bytes > 0 && is_space((*text)[bytes - 1]))
        bytes--;
    while (bytes > 0 && is_space(**text)) {
        (*text)++;
        bytes--;
    }
    return bytes;
}

static bool is_token(const char *text, size_t bytes)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr(others, c))))
            return false;
    }
    return bytes > 0;
}

static int add_latin1(struct fetch_bytes *out, const char *text, size_t bytes)
{
    int error = 0;

    for (size_t i = 0; i < bytes && !error; i++) {
        unsigned char c = (unsigned char)text[i];
        char two[2] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f))};

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return -EBADMSG;
        error = c < 0x80 ? fetch_bytes_add(out, &c, 1) : fetch_bytes_add(out, two, 2);
    }
    return error;
}

/* "HTTP/1.1 200 OK", "HTTP/2 200" */
static int add_status(struct fetch_bytes *text, const char *line, size_t bytes)
{
    const char *end = line + bytes, *at = memchr(line, ' ', bytes);

    text->used = 0;
    at = at ? at : end;
    bytes = trim(&at, (size_t)(end - at));
    return add_latin1(text, at, bytes);
}

/* obs-fold (RFC 9112, section 5.2): more of the last value. */
static int add_folded(struct fetch_bytes *text, const char *line, size_t bytes)
{
    int error = text->used > 0 ? fetch_bytes_add(text, " ", 1) : -EBADMSG;

    bytes = trim(&line, bytes);
    return error ? error : add_latin1(text, line, bytes);
}

static int add_field(struct fetch_bytes *text, const char *line, size_t bytes)
{
    const char *colon = memchr(line, ':', bytes), *value;
    int error;

    if (!colon || !is_token(line, (size_t)(colon - line)))
        return -EBADMSG;
    value = colon + 1;
    bytes = trim(&value, (size_t)(line + bytes - value));
    error = fetch_bytes_add(text, "\n", 1);
    error = error ? error : fetch_bytes_add(text, line, (size_t)(colon - line));
    error = error ? error : fetch_bytes_add(text, "\n", 1);
    return error ? error : add_latin1(text, value, bytes);
}

int fetch_head_line(struct fetch_bytes *text, const char *line, size_t bytes, bool *ret_end)
{
    int error;

    *ret_end = bytes == 0 || line[0] == '\r' || line[0] == '\n';
    if (*ret_end)
        return 0;
    if (bytes >= 5 && memcmp(line, "HTTP/", 5) == 0)
        error = add_status(text, line, bytes);
    else if (line[0] == ' ' || line[0] == '\t')
        error = add_folded(text, line, bytes);
    else
        error = add_field(text, line, bytes);
    return error ? error : text->used > FETCH_HEAD_BYTES_MAX ? -E2BIG : 0;
}
