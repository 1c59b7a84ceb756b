/* SPDX-License-Identifier: MIT */
/*
 * static_path.h - from the path of a request to the name of a file below a folder. Pure; the kernel
 * (openat2, RESOLVE_BENEATH) keeps what is opened inside the folder, this keeps out what nobody
 * means to publish.
 */
#ifndef SSRD_WORKER_STATIC_PATH_H
#define SSRD_WORKER_STATIC_PATH_H

#include "shm/base.h"

#define STATIC_PATH_BYTES_MAX 4096

/*
 * path: as in the target, still percent-encoded, without query. prefix: begins and ends with /,
 * NUL-terminated. ret_name: the rest, decoded (RFC 3986 section 2.1), NUL-terminated; "" for the folder itself;
 * ends with / when the path does.
 * Bytes of the name / -ENOENT: not below the prefix / -EINVAL: below it, but no name that is ever
 * served: a bad escape, an encoded / or NUL, control characters, an empty segment, one that begins
 * with a dot (., .., .git, .env) other than .well-known / -ENAMETOOLONG.
 */
int static_path(const char *path, size_t path_bytes, const char *prefix,
                char ret_name[static STATIC_PATH_BYTES_MAX]);

#endif
