/* SPDX-License-Identifier: MIT */
/*
 * static.h - files of `static:` folders as answers: conditions (RFC 9110 section 13), ranges,
 * encodings that lie precompressed beside them. Small ones are kept in the hot cache and looked at
 * again once a second, large ones go from the page cache to the socket (sendfile).
 * Design: worker/README.md, "Files".
 */
#ifndef SSRD_WORKER_STATIC_H
#define SSRD_WORKER_STATIC_H

#include "shm/base.h"

struct conn;
struct http;
struct http_parse;
struct statics;

/* 0, *ret_statics NULL where the config has no folders / -ENOMEM. */
int statics_new(struct http *http, struct statics **ret_statics);
void statics_free(struct statics *statics); /* takes NULL */

/* A few times a second: lets go of files that are no longer asked for. Takes NULL. */
void statics_tick(struct statics *statics);

/* Answer a request if its path belongs to a folder. False: it is for the bundle. */
bool statics_answer(struct statics *statics, struct conn *conn, const struct http_parse *head);

#endif
