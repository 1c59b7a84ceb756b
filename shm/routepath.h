/* SPDX-License-Identifier: MIT */
/*
 * routepath.h - a request's path as routes see it: the way a bundle does who reads `new URL(request.url).pathname` and
 * decodes it. So a client can't step around a route (its timeout, its headers, its cache policy) by another spelling of
 * a path. Keys of pages are not made of it: they keep what was sent.
 */
#ifndef SSRD_SHM_ROUTEPATH_H
#define SSRD_SHM_ROUTEPATH_H

#include "shm/base.h"

/* Is it spelled in another way than its normal form, perhaps? */
bool routepath_is_odd(const char *path, size_t bytes);

/*
 * The normal form of a path that begins with "/": segments "." and ".." are resolved, also as %2e (URL Standard, section
 * 4.4, "path state"), "\" is "/", and what is percent-encoded is decoded, but for "/", "\", "%" and NUL, which stay as sent.
 * out: room for `bytes`; the result is never longer. Returns its length.
 */
size_t routepath_normalise(const char *path, size_t bytes, char *out);

#endif
