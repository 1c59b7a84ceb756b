/* SPDX-License-Identifier: MIT */
/*
 * claim.h - who renders which key now, over all workers, so that a page that all ask for at once is
 * rendered once. Shared by the workers and the master. A claim lives from the start of a render
 * to its end; who meets another's claim waits for it by its bell. Protocol and every order: claim.c.
 *
 * Keys are compared by two 64-bit hashes, one of them seeded at random: no page goes from one key
 * to the other by a claim, so the worst a collision could do is to make somebody wait, or share an error.
 */
#ifndef SSRD_SHM_CLAIM_H
#define SSRD_SHM_CLAIM_H

#include "shm/base.h"

struct bells;
struct claims; /* in shared memory */
struct region;

enum claim_outcome {
    CLAIM_OPEN,    /* still renders */
    CLAIM_LOST,    /* it has died or given up: claim it yourself */
    CLAIM_STORED,  /* the page stands in the cold cache */
    CLAIM_PRIVATE, /* the page was not for sharing: render your own */
    CLAIM_ERROR,   /* the render failed; the same would happen to all */
    CLAIM_TIMEOUT,
    CLAIM_SHED,
};

struct claim_key {
    uint64_t hash;    /* key_hash() of the key */
    uint64_t check;   /* by claim_check() */
    uint64_t edition; /* of the bundle: another bundle's page is no use */
    uint64_t epoch;   /* purge epoch before the render: who comes after a purge does not wait for a
                         render that began before it */
};

struct claim {
    uint32_t slot;
    uint32_t version;
};

struct claims *claims_of(const struct region *region);

uint64_t claim_check(const struct claims *claims, const char *key, size_t key_bytes);

/*
 * 0: it is the caller's, who must claim_release() it. Then look into the cold cache once more: the
 *    page may have been stored right before.
 * -EBUSY: someone (this row included) renders it; *ret_claim is theirs, for claim_wait().
 * -ENOSPC: too much is claimed at once: render without a claim.
 */
int claim_take(const struct region *region, const struct bells *bells, uint32_t row,
               const struct claim_key *key, struct claim *ret_claim);

/* The render is over: outcome not CLAIM_OPEN. Wakes all who wait. */
void claim_release(const struct region *region, const struct bells *bells, struct claim claim,
                   enum claim_outcome outcome);

/* Wait for another's: true, and this row's bell will ring when it is over; false: it is over. */
bool claim_wait(struct claims *claims, uint32_t row, struct claim claim);

/* How it ended, or CLAIM_OPEN. CLAIM_LOST also when that is no longer known. */
enum claim_outcome claim_look(const struct claims *claims, struct claim claim);

/* After claim_wait(): nothing of this row waits for it any more. An outcome is kept until then. */
void claim_leave(struct claims *claims, uint32_t row, struct claim claim);

/* Master only, after waitpid() and before the row is given out again: what the row held is LOST, who
 * waited is woken. Returns the claims taken off. */
unsigned claim_reap(const struct region *region, const struct bells *bells, uint32_t row);

/* For figures and tests: claims held now. Walks the table. */
unsigned claim_count(const struct claims *claims);

#endif
