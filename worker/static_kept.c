/* SPDX-License-Identifier: MIT */
/* static_kept.c - see static_kept.h. */
#include "worker/static_kept.h"

#include "worker/conn_out.h"

#include <mimalloc.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 128u /* a file has two, by its hash: at most 512 descriptors with all encodings */
#define UNUSED_MS 2000u

struct static_kept {
    size_t count;
    struct kept_file *place[PLACES];
};

struct static_kept *static_kept_new(void)
{
    return calloc(1, sizeof(struct static_kept));
}

static void free_file(struct kept_file *file)
{
    for (int i = 0; i < PAGE_ENCODINGS; i++)
        out_file_release(file->part[i].file);
    mi_free(file);
}

static void empty(struct static_kept *table, size_t at)
{
    if (!table->place[at])
        return;
    free_file(table->place[at]);
    table->place[at] = NULL;
    table->count--;
}

void static_kept_free(struct static_kept *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < PLACES; i++)
        empty(table, i);
    free(table);
}

struct kept_file *static_kept_find(struct static_kept *table, struct span key, uint64_t hash,
                                   uint64_t now_ms)
{
    for (size_t way = 0; way < 2; way++) {
        struct kept_file *file = table->place[(hash % PLACES) ^ way];

        if (file && file->hash == hash && file->key_bytes == key.bytes &&
            memcmp(file->text, key.data, key.bytes) == 0) {
            file->used_ms = now_ms;
            return file;
        }
    }
    return NULL;
}

/* Empty, or that of whoever was asked for longest ago. */
static size_t place_for(const struct static_kept *table, uint64_t hash)
{
    size_t first = hash % PLACES;
    size_t second = first ^ 1;
    const struct kept_file *a = table->place[first];
    const struct kept_file *b = table->place[second];

    return !a || (b && a->used_ms <= b->used_ms) ? first : second;
}

static struct span copy(char **at, struct span text)
{
    struct span copied = {*at, text.bytes};

    memcpy(*at, text.data, text.bytes);
    *at += text.bytes;
    return copied;
}

struct kept_file *static_kept_add(struct static_kept *table, struct span key, uint64_t hash,
                                  struct static_file *file,
                                  const struct span fields[static PAGE_ENCODINGS],
                                  const struct span etag[static PAGE_ENCODINGS], uint64_t now_ms)
{
    size_t at = place_for(table, hash);
    size_t bytes = sizeof(struct kept_file) + key.bytes;
    struct kept_file *kept;
    char *text;

    for (int i = 0; i < PAGE_ENCODINGS; i++)
        bytes += file->part[i].fd >= 0 ? fields[i].bytes + etag[i].bytes : 0;
    kept = mi_zalloc(bytes);
    if (!kept)
        return NULL;
    kept->hash = hash;
    kept->stamp = file->stamp;
    kept->modified_s = file->modified_s;
    kept->used_ms = now_ms;
    kept->key_bytes = key.bytes;
    text = kept->text;
    (void)copy(&text, key);
    for (int i = 0; i < PAGE_ENCODINGS; i++) {
        struct kept_part *part = &kept->part[i];

        if (file->part[i].fd < 0)
            continue;
        part->part = file->part[i];
        part->fields = copy(&text, fields[i]);
        part->etag = copy(&text, etag[i]);
        part->file = out_file_new(file->part[i].fd);
        file->part[i].fd = -1; /* taken, or closed */
        if (!part->file) {
            free_file(kept);
            return NULL;
        }
    }
    empty(table, at);
    table->place[at] = kept;
    table->count++;
    return kept;
}

void static_kept_drop(struct static_kept *table, struct kept_file *file)
{
    size_t first = file->hash % PLACES;

    empty(table, table->place[first] == file ? first : first ^ 1);
}

void static_kept_sweep(struct static_kept *table, uint64_t now_ms)
{
    for (size_t i = 0; i < PLACES && table->count > 0; i++)
        if (table->place[i] && now_ms >= table->place[i]->used_ms + UNUSED_MS)
            empty(table, i);
}
