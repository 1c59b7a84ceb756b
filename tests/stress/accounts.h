/* SPDX-License-Identifier: MIT */
/*
 * accounts.h - do the figures of a region add up? Looks at every segment, page and slot of one in
 * which nobody works any more (all peers closed, or dead and reaped), and knows the byte map by itself:
 * nothing here asks cold.c what it thinks is there.
 */
#ifndef SSRD_TESTS_STRESS_ACCOUNTS_H
#define SSRD_TESTS_STRESS_ACCOUNTS_H

#include "shm/base.h"

struct region;

struct accounts {
    /* every slot is one of these */
    uint64_t live, ghosts, dead, empty;
    /* every byte of the segments is in one of these */
    uint64_t named_bytes;   /* pages that a slot leads to */
    uint64_t unnamed_bytes; /* pages that none does */
    uint64_t broken_bytes;  /* behind a page whose size makes no sense: its bytes were flipped */
    uint64_t free_bytes;    /* behind the fills */
    uint64_t page_bytes;    /* of named pages, not rounded: what `cache stat` says */
    uint64_t twins;         /* slots more than their keys need: one death may leave one */
    uint64_t corrupt;       /* named pages whose checksum does not hold */
};

/*
 * What must hold, whatever died where:
 *   - nobody holds a segment; its fill is that of the pages in it, its area is one of the two, and the
 *     count of probation is that of its segments
 *   - a slot is empty, a ghost, or leads into a segment of another sequence (dead), or to the start of a
 *     whole page inside the fill, with the page's tag and in one of its 16 places; no two slots lead to
 *     one page
 *   - no prefix entry is taken, and no covering word of a purge is above the epoch
 *   - named, unnamed, broken and free bytes are all the bytes there are
 * may_be_flipped: pages' bytes were changed behind our back; then only slots' places are sure.
 * True, or false with a line for people in why.
 */
bool accounts_add_up(const struct region *region, bool may_be_flipped,
                     struct accounts *ret_accounts, char why[static 160]);

#endif
