/* SPDX-License-Identifier: MIT */
/* fetch_bytes.c - see fetch_bytes.h. */
#include "worker/fetch_bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int fetch_bytes_add(struct fetch_bytes *bytes, const void *data, size_t count)
{
    if (bytes->used + count > bytes->cap) {
        size_t cap = bytes->cap ? bytes->cap * 2 : 1024;
        char *grown;

        while (cap < bytes->used + count)
            cap *= 2;
        grown = realloc(bytes->data, cap);
        if (!grown)
            return -ENOMEM;
        bytes->data = grown;
        bytes->cap = cap;
    }
    if (count > 0)
        memcpy(bytes->data + bytes->used, data, count);
    bytes->used += count;
    return 0;
}

void fetch_bytes_free(struct fetch_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct fetch_bytes){0};
}
