/* SPDX-License-Identifier: MIT */
/* key_text.h - the text of a key as it grows in a buffer of given size. For key.c and vary.c. */
#ifndef SSRD_WORKER_KEY_TEXT_H
#define SSRD_WORKER_KEY_TEXT_H

#include "shm/base.h"

#include <string.h>

struct key_text {
    char *data;
    size_t bytes;
    size_t cap_bytes;
};

/* False: there is no room, and nothing was added. */
static inline bool key_text_add(struct key_text *t, const char *data, size_t bytes)
{
    if (bytes > t->cap_bytes - t->bytes)
        return false;
    memcpy(t->data + t->bytes, data, bytes);
    t->bytes += bytes;
    return true;
}

#endif
