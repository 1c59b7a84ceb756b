/* SPDX-License-Identifier: MIT */
/*
 * source_maps.h - errors told in the places of the sources: the maps of a generation's files, inline
 * (`//# sourceMappingURL=data:…`) or beside (its target, or FILE.map). The master has read those
 * beside; a map is parsed when an error first needs it and kept for the life of the process.
 */
#ifndef SSRD_WORKER_SOURCE_MAPS_H
#define SSRD_WORKER_SOURCE_MAPS_H

#include "shm/heritage.h"
#include "worker/js.h"

/* Use the files of this heritage, which stays; once a process. */
void source_maps_open(const struct heritage *heritage);
void source_maps_close(void); /* for tests */

/* Position, source line, frame and stack of an error, in its own memory; what has no map stays. */
void source_maps_error(struct js_error *error);

/* The text with each `FILE:LINE:COLUMN` of a mapped file in its place. Returns owned; NULL: there is
 * nothing of it in the text. */
char *source_maps_text(const char *text, size_t bytes);

#endif
