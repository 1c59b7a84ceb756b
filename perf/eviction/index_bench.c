/* SPDX-License-Identifier: MIT */
/*
 * index_bench.c - what an operation of the index costs by itself (part_bench.h): an index of 524,288 slots, as a cache of 256 MiB has
 * it, a quarter full. A page is a word of a table: to look at one is one load, where the cold cache reads a struct page.
 */
#include "perf/eviction/part_bench.h"
#include "shm/index.h"

#include <errno.h>
#include <sys/mman.h>

#define SLOTS (512u * 1024)
#define KEYS (SLOTS / 4)

struct stage {
    struct index index;
    uint64_t *page;  /* by location: the hash of the key */
    uint64_t *shown; /* by key: the word put last by the first process */
};

static uint64_t hash_of(uint64_t key)
{
    uint64_t x = (key + 1) * 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

struct wanted {
    const struct stage *stage;
    uint64_t hash;
};

static enum index_found look(void *arg, uint64_t word, uint64_t *ret_stored_ms)
{
    const struct wanted *wanted = arg;

    *ret_stored_ms = 1;
    return wanted->stage->page[index_word_location(word) % KEYS] == wanted->hash ? INDEX_SAME
                                                                                 : INDEX_OTHER;
}

static void find(struct part *part, uint64_t hash, bool there)
{
    struct stage *stage = part->stage;
    struct wanted wanted = {stage, hash};
    uint64_t slot;
    uint64_t word;

    part->failed += index_find(&stage->index, hash, look, &wanted, &slot, &word) != there;
}

static void do_find(struct part *part)
{
    find(part, hash_of(part_draw(part, KEYS)), true);
}

static void do_miss(struct part *part)
{
    find(part, hash_of((uint64_t)KEYS + part_draw(part, KEYS)), false);
}

static void put(struct part *part, uint32_t key, uint32_t sequence)
{
    struct stage *stage = part->stage;
    struct wanted wanted = {stage, hash_of(key)};
    uint64_t word = index_word(wanted.hash, key, sequence);
    unsigned evicted;

    part->failed += index_put(&stage->index, wanted.hash, word, 1, look, &wanted, &evicted) != 0;
    stage->shown[key] = word;
}

/* Stored anew: its word is replaced. */
static void do_put(struct part *part)
{
    put(part, part_draw(part, KEYS), part_draw(part, 16384));
}

static void do_put_new(struct part *part)
{
    struct stage *stage = part->stage;
    uint32_t key = part_draw(part, KEYS);
    struct wanted wanted = {stage, hash_of(key)};

    part->failed += index_remove(&stage->index, wanted.hash, look, &wanted) > 2;
    put(part, key, 1);
}

/* As a reclaimer follows a page that survives. */
static void do_move(struct part *part)
{
    struct stage *stage = part->stage;
    uint32_t key = part_draw(part, KEYS);
    uint64_t slot;
    uint64_t now;
    uint64_t to = stage->shown[key] ^ 4; /* a bit of its sequence */

    if (!index_locate(&stage->index, hash_of(key), stage->shown[key], &slot, &now))
        return; /* the other process has it elsewhere */
    if (index_move(&stage->index, slot, now, to & ~INDEX_HEAT_MASK))
        stage->shown[key] = to & ~INDEX_HEAT_MASK;
}

/* Heat goes up and comes down again. */
static void do_touch(struct part *part)
{
    struct stage *stage = part->stage;
    uint64_t slot = part_draw(part, SLOTS);
    uint64_t word = index_load(&stage->index, slot);

    index_touch(&stage->index, slot, word);
    (void)index_cool(&stage->index, slot, index_load(&stage->index, slot));
}

int main(int argc, char **argv)
{
    static const struct part_operation operations[] = {
        {"find", do_find},          {"miss", do_miss}, {"put", do_put},
        {"remove+put", do_put_new}, {"move", do_move}, {"touch+cool", do_touch},
    };
    struct stage stage = {.index.slots = SLOTS};
    struct part part = {.stage = &stage, .random = 42};
    void *slots = mmap(NULL, SLOTS * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    stage.page = malloc(KEYS * sizeof *stage.page);
    stage.shown = malloc(KEYS * sizeof *stage.shown);
    if (slots == MAP_FAILED || stage.page == NULL || stage.shown == NULL)
        return 71;
    stage.index.slot = slots;
    for (uint32_t key = 0; key < KEYS; key++)
        stage.page[key] = hash_of(key);
    for (uint32_t key = 0; key < KEYS; key++)
        put(&part, key, 1);
    return part_main(argc, argv, &part, operations, array_len(operations), NULL, NULL);
}
