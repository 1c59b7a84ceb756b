/* SPDX-License-Identifier: MIT */
/*
 * access.h - the access log: one line a request in the "combined" format with cache result and
 * microseconds behind it. A process has one. Lines are gathered and written when the buffer is
 * full or 250 ms have passed; files are opened for appending, so whole lines of several workers
 * interleave.
 */
#ifndef SSRD_WORKER_ACCESS_H
#define SSRD_WORKER_ACCESS_H

#include "shm/base.h"
#include "worker/http_parse.h"

/* off | stderr | a path; kept. 0 / negative errno: the file can't be opened, the log stays off. */
int access_open(const char *where);
void access_close(void);
void access_flush(void);
void access_reopen(void); /* after logrotate; if that fails the old file goes on */
bool access_is_on(void);

struct access_line {
    const char *peer;              /* "" unknown */
    const struct http_parse *head; /* NULL: the request could not be read */
    uint16_t status;
    uint64_t body_bytes;
    const char *cache; /* "hot", … */
    uint64_t took_us;
    uint64_t wall_ms;
};
void access_write(const struct access_line *line);

#endif
