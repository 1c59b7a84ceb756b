/* SPDX-License-Identifier: MIT */
/*
 * mime.h - the media type of a file by its name: what the web needs is built in, the rest comes
 * from the system's table (mime.types(5)).
 */
#ifndef SSRD_WORKER_MIME_H
#define SSRD_WORKER_MIME_H

#include <stddef.h>

#define MIME_SYSTEM_FILE "/etc/mime.types"

struct mime;

/* file: in the format of mime.types(5); NULL, or one that can't be read: what is built in alone.
 * NULL: out of memory. */
struct mime *mime_new(const char *file);
void mime_free(struct mime *mime); /* takes NULL */

/* A value for Content-Type, with charset=utf-8 where the type is text; "application/octet-stream"
 * for what is not known. name: NUL-terminated. Borrowed from mime. */
const char *mime_type(const struct mime *mime, const char *name);

#endif
