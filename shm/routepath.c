/* SPDX-License-Identifier: MIT */
/* routepath.c - see routepath.h. */
#include "shm/routepath.h"

static bool is_slash(char c)
{
    return c == '/' || c == '\\';
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The octet that %XX stands for; -1: none stands there. */
static int octet_at(const char *at, const char *end)
{
    int high;
    int low;

    if (end - at < 3 || *at != '%')
        return -1;
    high = hex(at[1]);
    low = hex(at[2]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

/* 1: a segment that means here; 2: one up; 0: a name. */
static int dots_in(const char *at, const char *end)
{
    int dots = 0;

    while (at < end && dots < 3) {
        bool encoded = octet_at(at, end) == '.';

        if (!encoded && *at != '.')
            return 0;
        at += encoded ? 3 : 1;
        dots++;
    }
    return dots < 3 ? dots : 0;
}

static size_t decode(const char *at, const char *end, char *out)
{
    size_t bytes = 0;

    while (at < end) {
        int octet = octet_at(at, end);

        if (octet > 0 && octet != '%' && !is_slash((char)octet)) {
            out[bytes++] = (char)octet;
            at += 3;
        } else {
            out[bytes++] = *at++;
        }
    }
    return bytes;
}

bool routepath_is_odd(const char *path, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (path[i] == '%' || path[i] == '\\' || (path[i] == '.' && i > 0 && path[i - 1] == '/'))
            return true;
    return false;
}

size_t routepath_normalise(const char *path, size_t bytes, char *out)
{
    const char *end = path + bytes;
    const char *at = path; /* at a slash */
    size_t have = 0;

    while (at < end) {
        const char *segment = at + 1;
        int dots;

        for (at = segment; at < end && !is_slash(*at); at++)
            ;
        dots = dots_in(segment, at);
        if (dots == 2)
            while (have > 0 && out[--have] != '/')
                ;
        if (dots == 0 || at == end)
            out[have++] = '/';
        if (dots == 0)
            have += decode(segment, at, out + have);
    }
    return have;
}
