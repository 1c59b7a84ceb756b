/* SPDX-License-Identifier: MIT */
/* http_range.h - the Range field (RFC 9110 section 14.2). Pure. */
#ifndef SSRD_WORKER_HTTP_RANGE_H
#define SSRD_WORKER_HTTP_RANGE_H

#include "shm/base.h"

enum http_range {
    HTTP_RANGE_WHOLE,        /* not for us to understand, or several ranges: 200 with everything */
    HTTP_RANGE_PART,         /* 206 */
    HTTP_RANGE_UNSATISFIABLE /* 416 */
};

/*
 * value: of the field. total: bytes of the representation. ret_first, ret_bytes: set for
 * HTTP_RANGE_PART, within total. Several ranges are answered with the whole (a server may ignore
 * Range): multipart/byteranges has few users and is the way to make a server send far more than was
 * asked for.
 */
enum http_range http_range_parse(struct span value, uint64_t total, uint64_t *ret_first,
                                 uint64_t *ret_bytes);

#endif
