/* SPDX-License-Identifier: MIT */
/* js_snapshot.h - the startup snapshot as js_snapshot_make.cc writes it and js_snapshot.cc takes it. */
#ifndef SSRD_WORKER_JS_SNAPSHOT_H
#define SSRD_WORKER_JS_SNAPSHOT_H

#include <stddef.h>

#include <string>

/* Version and build id of the V8 of this process; "": it has none, so nothing can be said of it. */
std::string js_snapshot_identity(void);

/* Linked into programs; NULL and 0 where the build made none. */
extern const char *const js_snapshot_blob;
extern const size_t js_snapshot_bytes;
extern const char *const js_snapshot_made_by;

#endif
