/* SPDX-License-Identifier: MIT */
/* fuzz_source_map.c - a source map, and lookups in it: whatever it holds, a place is one of its
 * sources or nothing. The first two bytes are a line and a column. */
#include "worker/source_map.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct source_map *map = NULL;
    struct source_place place[3];

    if (bytes < 2)
        return 0;
    place[0] = (struct source_place){.line = data[0], .column = data[1]};
    place[1] = (struct source_place){.line = 1, .column = 1};
    place[2] = (struct source_place){.line = UINT32_MAX, .column = UINT32_MAX};
    if (source_map_new((const char *)data + 2, bytes - 2, &map) != 0)
        return 0;
    source_map_find(map, place, 3);
    for (size_t i = 0; i < 3; i++) {
        if (place[i].line == 0)
            continue;
        if (place[i].column == 0 || !place[i].source)
            abort();
        if (place[i].content && strlen(place[i].content) > place[i].content_bytes)
            abort();
    }
    source_map_free(map);
    return 0;
}
