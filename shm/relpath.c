/* SPDX-License-Identifier: MIT */
/* relpath.c - see relpath.h. */
#include "shm/relpath.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Takes the last part off "a/b/"; false: there is none, or it is "..". */
static bool drop_part(char *out, size_t *used)
{
    size_t start = *used;

    if (start == 0 || (start == 1 && out[0] == '/'))
        return start == 1;
    start--;
    while (start > 0 && out[start - 1] != '/')
        start--;
    if (*used - start == 3 && memcmp(out + start, "..", 2) == 0)
        return false;
    *used = start;
    return true;
}

/* Each part ends with a slash in out; the caller takes the last one off. */
static int add_parts(const char *path, size_t bytes, char *out, size_t cap, size_t *used)
{
    const char *end = path + bytes;

    while (path < end) {
        const char *slash = memchr(path, '/', (size_t)(end - path));
        size_t part = (size_t)((slash ? slash : end) - path);
        bool up = part == 2 && memcmp(path, "..", 2) == 0;

        if (part == 0 || (part == 1 && *path == '.') || (up && drop_part(out, used))) {
            path += part + 1;
            continue;
        }
        if (*used + part + 2 > cap)
            return -ENAMETOOLONG;
        memcpy(out + *used, path, part);
        *used += part;
        out[(*used)++] = '/';
        path += part + 1;
    }
    return 0;
}

int relpath_resolve(const char *from, const char *name, size_t bytes, char *out, size_t cap)
{
    const char *slash = strrchr(from, '/');
    size_t used = 0;
    int error;

    for (size_t i = 0; i < bytes; i++)
        if (name[i] == '?' || name[i] == '#')
            bytes = i;
    if (cap < 2)
        return -ENAMETOOLONG;
    if (from[0] == '/')
        out[used++] = '/';
    error = add_parts(from, slash ? (size_t)(slash - from) : 0, out, cap, &used);
    if (!error)
        error = add_parts(name, bytes, out, cap, &used);
    if (error)
        return error;
    out[used > 1 ? used - 1 : used] = '\0';
    return 0;
}
