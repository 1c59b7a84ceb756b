/* SPDX-License-Identifier: MIT */
/* static_path.c - see static_path.h. */
#include "worker/static_path.h"

#include <errno.h>
#include <string.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes written / -EINVAL / -ENAMETOOLONG. */
static int decode(const char *text, size_t bytes, char out[static STATIC_PATH_BYTES_MAX])
{
    size_t used = 0;

    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];

        if (c == '%') {
            int high = i + 2 < bytes ? hex(text[i + 1]) : -1;

            if (high < 0 || hex(text[i + 2]) < 0)
                return -EINVAL;
            c = (char)(high * 16 + hex(text[i + 2]));
            i += 2;
            if (c == '/')
                return -EINVAL;
        }
        if ((unsigned char)c < 0x20 || c == 0x7f)
            return -EINVAL;
        if (used + 1 >= STATIC_PATH_BYTES_MAX)
            return -ENAMETOOLONG;
        out[used++] = c;
    }
    out[used] = '\0';
    return (int)used;
}

static bool is_segment_served(const char *segment, size_t bytes)
{
    static const char well_known[] = ".well-known"; /* RFC 8615 */

    if (bytes == 0)
        return false;
    return segment[0] != '.' ||
           (bytes == sizeof well_known - 1 && memcmp(segment, well_known, bytes) == 0);
}

int static_path(const char *path, size_t path_bytes, const char *prefix,
                char ret_name[static STATIC_PATH_BYTES_MAX])
{
    size_t prefix_bytes = strlen(prefix);
    const char *at = ret_name;
    int bytes;

    if (path_bytes < prefix_bytes || memcmp(path, prefix, prefix_bytes) != 0)
        return -ENOENT;
    bytes = decode(path + prefix_bytes, path_bytes - prefix_bytes, ret_name);
    if (bytes < 0)
        return bytes;
    while (*at != '\0') {
        size_t segment = strcspn(at, "/");

        if (!is_segment_served(at, segment))
            return -EINVAL;
        at += segment + (at[segment] == '/');
    }
    return bytes;
}
