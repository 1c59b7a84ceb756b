/* SPDX-License-Identifier: MIT */
/*
 * source_map.c - see source_map.h. Mappings stay text and are decoded at each lookup: lookups are as
 * rare as errors, and decoded segments would take several times the room of the map.
 */
#include "worker/source_map.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct source_map {
    json_t *root;
    const char *mappings;
    size_t mappings_bytes;
    const json_t *sources;
    const json_t *contents; /* or NULL */
    char **name;            /* with sourceRoot; as many as sources */
    size_t count;
};

static int name_sources(struct source_map *map)
{
    const char *root = json_string_value(json_object_get(map->root, "sourceRoot"));
    bool has_root = root && *root;
    bool needs_slash = has_root && root[strlen(root) - 1] != '/';

    map->count = json_array_size(map->sources);
    map->name = calloc(map->count + 1, sizeof *map->name);
    if (!map->name)
        return -ENOMEM;
    for (size_t i = 0; i < map->count; i++) {
        const char *source = json_string_value(json_array_get(map->sources, i));
        size_t bytes = (has_root ? strlen(root) : 0) + 2 + strlen(source ? source : "");

        map->name[i] = calloc(1, bytes);
        if (!map->name[i])
            return -ENOMEM;
        if (has_root)
            strcat(strcpy(map->name[i], root), needs_slash ? "/" : "");
        strcat(map->name[i], source ? source : "");
    }
    return 0;
}

int source_map_new(const char *json, size_t bytes, struct source_map **ret_map)
{
    struct source_map *map = calloc(1, sizeof *map);
    const json_t *mappings;
    int error = -EINVAL;

    if (!map)
        return -ENOMEM;
    map->root = json_loadb(json, bytes, 0, NULL);
    mappings = json_object_get(map->root, "mappings");
    map->sources = json_object_get(map->root, "sources");
    map->contents = json_object_get(map->root, "sourcesContent");
    if (json_integer_value(json_object_get(map->root, "version")) != 3 ||
        !json_is_string(mappings) || !json_is_array(map->sources))
        goto fail;
    map->mappings = json_string_value(mappings);
    map->mappings_bytes = json_string_length(mappings);
    error = name_sources(map);
    if (error)
        goto fail;
    *ret_map = map;
    return 0;
fail:
    source_map_free(map);
    return error;
}

void source_map_free(struct source_map *map)
{
    if (!map)
        return;
    for (size_t i = 0; map->name && i < map->count; i++)
        free(map->name[i]);
    free(map->name);
    json_decref(map->root);
    free(map);
}

/* ---- mappings ---- */

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Section "VLQ decoding": base 64, least digit first, bit 5 says that more follow, bit 0 of the whole
 * is the sign. False: no number here. What overflows 32 bits is cut. */
static bool take_number(const char **at, const char *end, int32_t *ret_value)
{
    uint64_t value = 0;
    unsigned shift = 0;
    int d;

    do {
        if (*at == end || (d = digit(**at)) < 0)
            return false;
        ++*at;
        if (shift < 32)
            value |= (uint64_t)(d & 31) << shift;
        shift += 5;
    } while (d & 32);
    *ret_value = (int32_t)(uint32_t)(value >> 1);
    if (value & 1)
        *ret_value = (int32_t)(0u - (uint32_t)*ret_value);
    return true;
}

/* Sums wrap around rather than overflow; a wild one finds no source. */
static void add(int32_t *sum, int32_t difference)
{
    *sum = (int32_t)((uint32_t)*sum + (uint32_t)difference);
}

/* Where the decoder stands: all but the column count on over lines. */
struct cursor {
    uint32_t line; /* of the generated code, from 0 */
    int32_t column;
    int32_t source;
    int32_t source_line;
    int32_t source_column;
    bool has_source; /* the last segment names one */
};

/* Fields of a segment: column [source line column [name]]. */
static void take_segment(const char **at, const char *end, struct cursor *c)
{
    int32_t field[5];
    size_t count = 0;

    while (count < 5 && take_number(at, end, &field[count]))
        count++;
    if (count > 0)
        add(&c->column, field[0]);
    c->has_source = count >= 4;
    if (c->has_source) {
        add(&c->source, field[1]);
        add(&c->source_line, field[2]);
        add(&c->source_column, field[3]);
    }
    while (*at < end && **at != ',' && **at != ';')
        ++*at;
}

static void note(const struct source_map *map, const struct cursor *c, struct source_place *out)
{
    const json_t *content;

    *out = (struct source_place){0};
    if (!c->has_source || c->source < 0 || (size_t)c->source >= map->count || c->source_line < 0 ||
        c->source_column < 0)
        return;
    out->line = (uint32_t)c->source_line + 1;
    out->column = (uint32_t)c->source_column + 1;
    out->source = map->name[c->source];
    content = json_array_get(map->contents, (size_t)c->source);
    out->content = json_string_value(content);
    out->content_bytes = json_string_length(content);
}

void source_map_find(const struct source_map *map, struct source_place *place, size_t count)
{
    struct source_place *found = calloc(count + 1, sizeof *found);
    const char *at = map->mappings;
    const char *end = at + map->mappings_bytes;
    struct cursor c = {0};

    for (; found && at < end; at++) {
        if (*at == ';') {
            c.line++;
            c.column = 0;
            continue;
        }
        if (*at == ',')
            continue;
        take_segment(&at, end, &c);
        at--;
        for (size_t i = 0; i < count; i++)
            if (place[i].line == c.line + 1 && (int64_t)c.column < (int64_t)place[i].column)
                note(map, &c, &found[i]);
    }
    for (size_t i = 0; i < count; i++)
        place[i] = found ? found[i] : (struct source_place){0};
    free(found);
}
