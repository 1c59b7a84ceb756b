/* SPDX-License-Identifier: MIT */
/* source_maps.c - see source_maps.h. One process, one heritage, so one set of maps. */
#include "worker/source_maps.h"

#include "shm/relpath.h"
#include "worker/source_map.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define PLACES_MAX 64u /* in one text; further ones stay as they are */
#define TRIES_MAX 256u /* what looks like a place, in one text: a bundle may print anything */
#define SOURCE_LINE_BYTES 200u
#define FRAME_BEFORE 2u
#define FRAME_AFTER 2u
#define NAME_BYTES_MAX 4096u

/* A file of generated code, and its map once somebody has asked for it. */
struct mapped {
    const char *name;
    const char *text;
    size_t bytes;
    bool is_loaded;
    struct source_map *map; /* NULL: it has none that can be read */
    char *base; /* what names in the map are relative to: the map's file, or the code's */
};

static const struct heritage *heritage;
static struct mapped *mapped; /* the bundle, then its files, sorted as in the heritage */
static size_t mapped_count;

void source_maps_open(const struct heritage *h)
{
    source_maps_close();
    mapped = calloc(h->file_count + 1, sizeof *mapped);
    if (!mapped)
        return; /* errors are then told in places of the bundle */
    heritage = h;
    mapped_count = h->file_count + 1;
    mapped[0] =
        (struct mapped){.name = h->bundle_name, .text = h->bundle, .bytes = h->bundle_bytes};
    for (size_t i = 0; i < h->file_count; i++)
        mapped[i + 1] = (struct mapped){
            .name = h->file[i].name, .text = h->file[i].text, .bytes = h->file[i].bytes};
}

void source_maps_close(void)
{
    for (size_t i = 0; i < mapped_count; i++) {
        source_map_free(mapped[i].map);
        free(mapped[i].base);
    }
    free(mapped);
    mapped = NULL;
    mapped_count = 0;
}

/* ---- files and their maps ---- */

static struct mapped *find_file(const char *name)
{
    size_t low = 1;
    size_t high = mapped_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, mapped[middle].name);

        if (order == 0)
            return &mapped[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static const char *without_dot(const char *name)
{
    while (name[0] == '.' && name[1] == '/')
        name += 2;
    return name;
}

/* The generated code of that name; a module is called so without the "./" that a script keeps. */
static struct mapped *find_code(const char *name)
{
    if (mapped_count > 0 && strcmp(without_dot(name), without_dot(mapped[0].name)) == 0)
        return &mapped[0];
    return find_file(name);
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Returns owned; NULL: no base64, or out of memory. */
static char *decode_base64(const char *text, size_t bytes, size_t *ret_bytes)
{
    char *out = malloc(bytes / 4 * 3 + 3);
    size_t used = 0;
    uint32_t bits = 0;
    unsigned held = 0;

    for (size_t i = 0; out && i < bytes && text[i] != '='; i++) {
        int digit = base64_digit(text[i]);

        if (digit < 0) {
            free(out);
            return NULL;
        }
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[used++] = (char)(bits >> held);
        }
    }
    *ret_bytes = used;
    return out;
}

/* The value of the last `//# sourceMappingURL=`. False: there is none. */
static bool find_url(const struct mapped *code, struct span *ret_url)
{
    static const char word[] = "//# sourceMappingURL=";
    const char *end = code->text + code->bytes;
    const char *last = NULL;
    const char *stop;

    for (const char *at = code->text;
         (at = memmem(at, (size_t)(end - at), word, sizeof word - 1)) != NULL; at++)
        last = at;
    if (!last)
        return false;
    last += sizeof word - 1;
    for (stop = last; stop < end && (unsigned char)*stop > ' '; stop++)
        ;
    *ret_url = (struct span){last, (size_t)(stop - last)};
    return true;
}

static void load_inline(struct mapped *code, struct span url)
{
    const char *data = memmem(url.data, url.bytes, ";base64,", 8);
    size_t bytes = 0;
    autofree char *json = NULL;

    if (!data)
        return;
    data += 8;
    json = decode_base64(data, (size_t)(url.data + url.bytes - data), &bytes);
    if (json)
        (void)source_map_new(json, bytes, &code->map);
    code->base = strdup(code->name);
}

static void load_beside(struct mapped *code, struct span url)
{
    char name[PATH_MAX];
    const struct mapped *file;

    if (relpath_resolve(code->name, url.data, url.bytes, name, sizeof name) != 0)
        return;
    file = find_file(name);
    if (!file)
        return;
    (void)source_map_new(file->text, file->bytes, &code->map);
    code->base = strdup(name);
}

static const struct source_map *map_of(struct mapped *code)
{
    struct span url;
    char name[NAME_BYTES_MAX];
    const char *slash = strrchr(code->name, '/');

    if (code->is_loaded)
        return code->map;
    code->is_loaded = true;
    if (!find_url(code, &url)) {
        int n = snprintf(name, sizeof name, "%s.map", slash ? slash + 1 : code->name);

        url = (struct span){name, n > 0 && n < (int)sizeof name ? (size_t)n : 0};
    }
    if (url.bytes > 5 && memcmp(url.data, "data:", 5) == 0)
        load_inline(code, url);
    else
        load_beside(code, url);
    return code->map;
}

/* As people know it: a path in the way of the bundle's; names with a scheme (webpack://) stay. */
static void show_source(const struct mapped *code, const char *source, char *out, size_t cap)
{
    if (strstr(source, "://") || source[0] == '/' || !code->base ||
        relpath_resolve(code->base, source, strlen(source), out, cap) != 0)
        (void)snprintf(out, cap, "%s", source);
}

/* ---- places in a text ---- */

struct hit {
    size_t start, end; /* of FILE:LINE:COLUMN in the text */
    struct mapped *code;
    struct source_place place;
};

static size_t take_digits(const char *text, size_t bytes, size_t at, uint32_t *ret_value)
{
    uint64_t value = 0;
    size_t start = at;

    for (; at < bytes && text[at] >= '0' && text[at] <= '9' && at - start < 10; at++)
        value = value * 10 + (uint64_t)(text[at] - '0');
    *ret_value = value > UINT32_MAX ? 0 : (uint32_t)value;
    return at;
}

/* The code whose name ends at `end`; names may hold blanks and brackets, so each start that a frame
 * can have is tried. */
static struct mapped *code_before(const char *text, size_t end, size_t *ret_start)
{
    char name[NAME_BYTES_MAX];
    struct mapped *best = NULL;

    for (size_t start = end;; start--) {
        bool is_first = start == 0 || text[start - 1] == '\n';

        if (start < end && (is_first || text[start - 1] == '(' || text[start - 1] == ' ')) {
            struct mapped *code;

            memcpy(name, text + start, end - start);
            name[end - start] = '\0';
            code = find_code(name);
            if (code) {
                best = code;
                *ret_start = start;
            }
        }
        if (is_first || end - start + 1 >= sizeof name)
            return best;
    }
}

static size_t find_hits(const char *text, size_t bytes, struct hit hit[static PLACES_MAX])
{
    size_t count = 0;
    unsigned tries = 0;

    for (size_t i = 0; i < bytes && count < PLACES_MAX && tries < TRIES_MAX; i++) {
        struct hit h = {0};
        size_t at;

        if (text[i] != ':')
            continue;
        at = take_digits(text, bytes, i + 1, &h.place.line);
        if (at == i + 1 || at >= bytes || text[at] != ':')
            continue;
        h.end = take_digits(text, bytes, at + 1, &h.place.column);
        if (h.end == at + 1)
            continue;
        tries++;
        h.code = code_before(text, i, &h.start);
        if (h.code && map_of(h.code))
            hit[count++] = h;
        i = h.end - 1;
    }
    return count;
}

/* All places of one file in one pass. */
static void look_up(struct hit *hit, size_t count)
{
    struct source_place place[PLACES_MAX];
    bool is_done[PLACES_MAX] = {false};

    for (size_t i = 0; i < count; i++) {
        size_t index[PLACES_MAX];
        size_t n = 0;

        for (size_t k = i; k < count; k++) {
            if (is_done[k] || hit[k].code != hit[i].code)
                continue;
            is_done[k] = true;
            place[n] = hit[k].place;
            index[n++] = k;
        }
        if (n > 0)
            source_map_find(hit[i].code->map, place, n);
        for (size_t k = 0; k < n; k++)
            hit[index[k]].place = place[k];
    }
}

char *source_maps_text(const char *text, size_t bytes)
{
    struct hit hit[PLACES_MAX];
    size_t count = mapped_count > 0 ? find_hits(text, bytes, hit) : 0;
    char name[NAME_BYTES_MAX];
    char *out = NULL;
    size_t out_bytes = 0;
    size_t from = 0;
    FILE *to;

    if (count == 0)
        return NULL;
    look_up(hit, count);
    to = open_memstream(&out, &out_bytes);
    if (!to)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (hit[i].place.line == 0)
            continue;
        show_source(hit[i].code, hit[i].place.source, name, sizeof name);
        (void)fwrite(text + from, 1, hit[i].start - from, to);
        (void)fprintf(to, "%s:%u:%u", name, hit[i].place.line, hit[i].place.column);
        from = hit[i].end;
    }
    (void)fwrite(text + from, 1, bytes - from, to);
    if (fclose(to) != 0) {
        free(out);
        return NULL;
    }
    return out;
}

/* ---- an error ---- */

static void set(char **field, char *text)
{
    if (!text)
        return;
    free(*field);
    *field = text;
}

/* Line `line` (from 1) of a text; data NULL: it has none. */
static struct span line_of(const char *text, size_t bytes, uint32_t line)
{
    const char *end = text + bytes;
    const char *stop;

    for (uint32_t i = 1; i < line && text; i++) {
        text = memchr(text, '\n', (size_t)(end - text));
        text = text ? text + 1 : NULL;
    }
    if (!text || text > end)
        return (struct span){NULL, 0};
    stop = memchr(text, '\n', (size_t)(end - text));
    stop = stop ? stop : end;
    if (stop > text && stop[-1] == '\r')
        stop--;
    return (struct span){text, (size_t)(stop - text)};
}

/* Cut, but not within a character of UTF-8. */
static int shown(struct span line)
{
    size_t bytes = line.bytes < SOURCE_LINE_BYTES ? line.bytes : SOURCE_LINE_BYTES;

    while (bytes > 0 && bytes < line.bytes && ((unsigned char)line.data[bytes] & 0xc0) == 0x80)
        bytes--;
    return (int)bytes;
}

/* The lines around a place, with numbers, and a caret below it. Returns owned or NULL. */
static char *frame_of(const struct source_place *place)
{
    uint32_t first = place->line > FRAME_BEFORE ? place->line - FRAME_BEFORE : 1;
    char *out = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&out, &bytes);

    if (!to)
        return NULL;
    for (uint32_t n = first; n <= place->line + FRAME_AFTER; n++) {
        struct span line = line_of(place->content, place->content_bytes, n);
        bool is_it = n == place->line;

        if (!line.data || (n > place->line && line.data == place->content + place->content_bytes))
            break;
        (void)fprintf(to, "%s%c %5u | %.*s", n > first ? "\n" : "", is_it ? '>' : ' ', n,
                      shown(line), line.data);
        if (is_it && place->column <= SOURCE_LINE_BYTES)
            (void)fprintf(to, "\n        | %*s", (int)place->column, "^");
    }
    if (fclose(to) != 0) {
        free(out);
        return NULL;
    }
    return out;
}

static void set_place(struct js_error *error, const struct mapped *code,
                      const struct source_place *place)
{
    char name[NAME_BYTES_MAX];

    show_source(code, place->source, name, sizeof name);
    set(&error->file, strdup(name));
    error->line = place->line;
    error->column = place->column;
    if (place->content) {
        struct span line = line_of(place->content, place->content_bytes, place->line);

        set(&error->source, strndup(line.data ? line.data : "", (size_t)shown(line)));
        set(&error->frame, frame_of(place));
    }
}

void source_maps_error(struct js_error *error)
{
    struct mapped *code = error->line > 0 ? find_code(error->file) : NULL;
    struct source_place place = {.line = error->line, .column = error->column};

    if (code && map_of(code)) {
        source_map_find(code->map, &place, 1);
        if (place.line > 0)
            set_place(error, code, &place);
    }
    set(&error->stack, source_maps_text(error->stack, strlen(error->stack)));
}
