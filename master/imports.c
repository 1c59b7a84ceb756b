/* SPDX-License-Identifier: MIT */
/* imports.c - see imports.h. */
#include "master/imports.h"

#include <string.h>

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

/* Behind white space and comments; end: nothing follows. */
static const char *skip(const char *at, const char *end)
{
    for (;;) {
        while (at < end && is_space(*at))
            at++;
        if (end - at < 2 || at[0] != '/' || (at[1] != '/' && at[1] != '*'))
            return at;
        if (at[1] == '/') {
            at = memchr(at, '\n', (size_t)(end - at));
        } else {
            at = memmem(at + 2, (size_t)(end - at - 2), "*/", 2);
            at = at ? at + 2 : NULL;
        }
        if (!at)
            return end;
    }
}

static bool is_relative(const char *text, size_t bytes)
{
    return (bytes > 2 && memcmp(text, "./", 2) == 0) || (bytes > 3 && memcmp(text, "../", 3) == 0);
}

/* at: behind the word. False: the caller wants no more. */
static bool take_specifier(const char *at, const char *end, bool may_call, imports_found *found,
                           void *arg)
{
    const char *start;
    char quote;

    at = skip(at, end);
    if (may_call && at < end && *at == '(')
        at = skip(at + 1, end);
    if (at == end || (*at != '"' && *at != '\'' && (*at != '`' || !may_call)))
        return true;
    quote = *at++;
    for (start = at; at < end && *at != quote; at++)
        if (*at == '\n' || *at == '\\' || *at == '$' || at - start >= IMPORTS_NAME_BYTES_MAX)
            return true;
    if (at == end || !is_relative(start, (size_t)(at - start)))
        return true;
    return found(arg, start, (size_t)(at - start));
}

void imports_scan(const char *text, size_t bytes, imports_found *found, void *arg)
{
    static const struct {
        const char *text;
        size_t bytes;
    } words[] = {{"import", 6}, {"from", 4}};
    const char *end = text + bytes;

    for (const char *at = text; at < end; at++) {
        int word = *at == 'i' ? 0 : *at == 'f' ? 1 : -1;

        if (word < 0 || (size_t)(end - at) <= words[word].bytes ||
            memcmp(at, words[word].text, words[word].bytes) != 0 || (at > text && is_word(at[-1])))
            continue;
        if (!take_specifier(at + words[word].bytes, end, word == 0, found, arg))
            return;
    }
}
