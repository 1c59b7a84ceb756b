/* SPDX-License-Identifier: MIT */
/* poison.c - see poison.h. All loads and stores are relaxed but those of `until_ms`, which says that
 * it is worth looking at the slots. */
#include "shm/poison.h"

#include "shm/region_map.h"

#define SLOTS 64u

struct slot {
    _Atomic uint64_t key;
    _Atomic uint64_t died_ms;  /* the last worker; mono */
    _Atomic uint64_t until_ms; /* it rests, or rested, until then; 0: never yet */
};

struct poison {
    /* written by the master only */
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t until_ms; /* the latest of the slots' */
    struct slot slot[SLOTS];
};

size_t poison_section_bytes(void)
{
    return sizeof(struct poison);
}

struct poison *poison_of(const struct region *region)
{
    return region_at(region, REGION_POISON);
}

static uint64_t get(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void set(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

bool poison_rests(const struct poison *poison, uint64_t key, uint64_t now_ms)
{
    /* acquire: pairs with the release in poison_note(), so that the slot is seen that made it late */
    if (likely(atomic_load_explicit(&poison->until_ms, memory_order_acquire) <= now_ms) || key == 0)
        return false;
    for (unsigned i = 0; i < SLOTS; i++)
        if (get(&poison->slot[i].key) == key)
            return get(&poison->slot[i].until_ms) > now_ms;
    return false;
}

/* The key's slot, else the one in which nothing has happened for longest, made the key's. */
static struct slot *slot_of(struct poison *poison, uint64_t key)
{
    struct slot *oldest = &poison->slot[0];

    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *s = &poison->slot[i];

        if (get(&s->key) == key)
            return s;
        if (get(&s->died_ms) < get(&oldest->died_ms))
            oldest = s;
    }
    set(&oldest->until_ms, 0);
    set(&oldest->died_ms, 0);
    set(&oldest->key, key);
    return oldest;
}

bool poison_note(struct poison *poison, uint64_t key, uint64_t now_ms)
{
    struct slot *s;
    uint64_t died_ms, until_ms;
    bool again;

    if (key == 0)
        return false;
    s = slot_of(poison, key);
    died_ms = get(&s->died_ms);
    until_ms = get(&s->until_ms);
    again = (died_ms > 0 && now_ms - died_ms < POISON_DEATHS_MS) ||
            (until_ms > 0 && now_ms < until_ms + POISON_DEATHS_MS);
    set(&s->died_ms, now_ms > 0 ? now_ms : 1);
    if (!again)
        return false;
    set(&s->until_ms, now_ms + POISON_REST_MS);
    /* release: pairs with the acquire in poison_rests() */
    atomic_store_explicit(&poison->until_ms, now_ms + POISON_REST_MS, memory_order_release);
    return true;
}
