/* SPDX-License-Identifier: MIT */
/* http_date.h - dates of header fields (RFC 9110 section 5.6.7). Pure. */
#ifndef SSRD_WORKER_HTTP_DATE_H
#define SSRD_WORKER_HTTP_DATE_H

#include "shm/base.h"

#define HTTP_DATE_BYTES 29 /* "Fri, 20 Nov 2026 08:18:09 GMT" */

/* unix_s: from 0 to the end of the year 9999. */
void http_date_format(uint64_t unix_s, char ret_text[static HTTP_DATE_BYTES + 1]);

/* One of the three formats that recipients must accept: IMF-fixdate, RFC 850, asctime, letters in any case; seconds
 * since 1970. A two-digit year is in the century that puts it at most 50 years ahead of now_s. 0 /
 * -EINVAL: no date, or one before 1970: the field is then to be taken as if it was absent. */
int http_date_parse(struct span text, uint64_t now_s, uint64_t *ret_unix_s);

#endif
