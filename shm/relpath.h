/* SPDX-License-Identifier: MIT */
/* relpath.h - where a relative name leads, seen from a file: by text alone, no file is looked at. */
#ifndef SSRD_SHM_RELPATH_H
#define SSRD_SHM_RELPATH_H

#include <stddef.h>

/*
 * The path of `name` as seen from the file `from`: "dist/a/b.js" and "../c.js" give "dist/c.js"; what
 * follows ? or # is cut off. A relative `from` gives a relative path. 0 / -ENAMETOOLONG.
 */
int relpath_resolve(const char *from, const char *name, size_t bytes, char *out, size_t cap);

#endif
