/* SPDX-License-Identifier: MIT */
/* js_snapshot_none.c - built where there is no startup snapshot (js_snapshot.h): the polyfills run at each start. */
#include <stddef.h>

extern const char *const js_snapshot_blob, *const js_snapshot_made_by;
extern const size_t js_snapshot_bytes;

const char *const js_snapshot_blob = NULL;
const char *const js_snapshot_made_by = NULL;
const size_t js_snapshot_bytes = 0;
