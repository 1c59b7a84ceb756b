/* SPDX-License-Identifier: MIT */
/*
 * source_map.h - one source map (ECMA-426, "Source map format"): where in the sources does a place of
 * generated code come from. Not its index form (`sections`). The map is foreign bytes: whatever it
 * holds, a lookup finds a source of the map or nothing.
 */
#ifndef SSRD_WORKER_SOURCE_MAP_H
#define SSRD_WORKER_SOURCE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct source_map;

/* 0, *ret_map owned / -EINVAL: not a source map of version 3 / -ENOMEM. */
int source_map_new(const char *json, size_t bytes, struct source_map **ret_map);
void source_map_free(struct source_map *map); /* takes NULL */

/* Lines and columns count from 1. */
struct source_place {
    uint32_t line; /* in: of the generated code; out: of the source; 0: not found */
    uint32_t column;
    /* out; borrowed, valid until source_map_free() */
    const char *source;  /* its name as the map has it, with sourceRoot; NUL-terminated */
    const char *content; /* its text, NULL: the map has none */
    size_t content_bytes;
};

/* All places in one pass over the mappings. A place between two segments belongs to the one before it
 * on its line. */
void source_map_find(const struct source_map *map, struct source_place *place, size_t count);

#endif
