/* SPDX-License-Identifier: MIT */
/* fetch_bytes.h - bytes that grow at their end. All zero: none. */
#ifndef SSRD_WORKER_FETCH_BYTES_H
#define SSRD_WORKER_FETCH_BYTES_H

#include <stddef.h>

struct fetch_bytes {
    char *data; /* NULL before the first */
    size_t used;
    size_t cap;
};

/* 0 / -ENOMEM. May move bytes->data. */
int fetch_bytes_add(struct fetch_bytes *bytes, const void *data, size_t count);
void fetch_bytes_free(struct fetch_bytes *bytes);

#endif
