/* SPDX-License-Identifier: MIT */
/*
 * failure_page.h - development (bundle.watch): what went wrong in a render, for whoever looks at the
 * page: HTML with the lines around the place for browsers, text for others. Never in production.
 */
#ifndef SSRD_WORKER_FAILURE_PAGE_H
#define SSRD_WORKER_FAILURE_PAGE_H

#include "shm/base.h"
#include "worker/js.h"

struct http_parse;

/* Does the request's Accept ask for HTML? */
bool failure_page_wants_html(const struct http_parse *head);

/* Returns owned, NUL-terminated; NULL: out of memory. Texts of the error are escaped and cut, the
 * whole stays below 62 KiB. */
char *failure_page(const struct js_error *error, uint16_t status, const char *id, bool html);

#endif
