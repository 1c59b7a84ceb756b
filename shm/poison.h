/* SPDX-License-Identifier: MIT */
/*
 * poison.h - keys whose renders have taken workers with them. A key on which two workers died within
 * a minute is not rendered until it has rested; after that one more death within a minute is
 * enough. Shared by the master, which alone writes, and the workers, which ask before each render.
 *
 * Who sees what: a slot's words are independent. A reader that meets a slot while it is given to
 * another key may take the new key for one that rests, or miss one that does: an answer 503 too
 * many, or a render. A master that dies in between leaves one of these.
 */
#ifndef SSRD_SHM_POISON_H
#define SSRD_SHM_POISON_H

#include "shm/base.h"

struct poison; /* in shared memory */
struct region;

#define POISON_DEATHS_MS UINT64_C(60000) /* two within */
#define POISON_REST_MS UINT64_C(60000)

struct poison *poison_of(const struct region *region);

/* Does this key rest now? now_ms: mono_ms(). Any process; one load while nothing rests. */
bool poison_rests(const struct poison *poison, uint64_t key, uint64_t now_ms);

/* Master only: a worker died while it rendered this key (0: none). True: from now on it rests. */
bool poison_note(struct poison *poison, uint64_t key, uint64_t now_ms);

#endif
