/* SPDX-License-Identifier: MIT */
/*
 * fetch_head.h - the head of an answer to fetch(), line by line as libcurl gives it, made into text for
 * polyfills/fetch.js: "200 OK\nname\nvalue\nname\nvalue...", in UTF-8, bytes as the characters U+0000 to
 * U+00FF (Fetch, section 2.2.2, has them as byte strings).
 */
#ifndef SSRD_WORKER_FETCH_HEAD_H
#define SSRD_WORKER_FETCH_HEAD_H

#include "worker/fetch_bytes.h"

#include <stdbool.h>

#define FETCH_HEAD_BYTES_MAX (256u * 1024u)

/*
 * Add a line. A status line begins anew: what came before was of 1xx. ret_end: set, to true at the empty
 * line. 0 / -EBADMSG: a name that is no token, a control character in a value (RFC 9110, section 5.5) or
 * no colon / -E2BIG: more than FETCH_HEAD_BYTES_MAX / -ENOMEM.
 */
int fetch_head_line(struct fetch_bytes *text, const char *line, size_t bytes, bool *ret_end);

#endif
