/* SPDX-License-Identifier: MIT */
/*
 * offer.h - renders that their worker can't start now, offered to the other workers of its generation. Shared by these
 * and the master, in a mapping of its own, one a generation: a job is never done by another bundle
 * than the one that it was asked of. Protocol and every order: offer.c; use: worker/README.md, "Sharing renders".
 *
 * Workers are named by their numbers. The owner of an offer has the connection, its taker renders.
 */
#ifndef SSRD_SHM_OFFER_H
#define SSRD_SHM_OFFER_H

#include "shm/base.h"

struct bells;
struct offers;

#define OFFERS_MAX 256u
#define OFFER_WORKERS_MAX 576u /* and one that takes over from another */
#define OFFER_ROUTES_MAX 64u
#define OFFER_REQUEST_BYTES (32 * KIB)
#define OFFER_RESULT_BYTES (96 * KIB)

struct offer {
    uint32_t slot;
    uint32_t version;
};

enum offer_sight {
    OFFER_OPEN,  /* nobody has taken it yet */
    OFFER_TAKEN, /* somebody renders it */
    OFFER_DONE,  /* the result is there */
    OFFER_LOST,  /* the taker has died or given up: it is the owner's again */
};

/* Map a table. Its memory is touched when used, an idle server's costs nothing. 0 / -ENOMEM. */
int offers_new(struct offers **ret_offers);
void offers_free(struct offers *offers); /* takes NULL; this process's mapping alone */

/* ---- the owner ---- */

/* Room for OFFER_REQUEST_BYTES of a request at *ret_request, nobody sees it yet. 0 / -ENOSPC. */
int offer_begin(struct offers *offers, uint32_t owner, struct offer *ret_offer, void **ret_request);
/* It is written: offer it, and wake an idle worker. queued_ns: mono; the oldest is taken first.
 * bytes 0: it could not be written, forget it. */
void offer_publish(struct offers *offers, const struct bells *bells, struct offer offer,
                   size_t bytes, uint64_t queued_ns);

enum offer_sight offer_look(const struct offers *offers, struct offer offer);
/* True: nobody has taken it, and it is gone. */
bool offer_withdraw(struct offers *offers, struct offer offer);
/* Of an offer that is DONE: borrowed until offer_drop(). */
const void *offer_result(const struct offers *offers, struct offer offer, size_t *ret_bytes);
/* Whatever has become of it, nobody wants it any more. */
void offer_drop(struct offers *offers, struct offer offer);

/* ---- the taker ---- */

/* The oldest one that is open. *ret_request: borrowed until offer_finish(). 0 / -ENOENT. */
int offer_take(struct offers *offers, uint32_t taker, struct offer *ret_offer,
               const void **ret_request, size_t *ret_bytes, uint64_t *ret_queued_ns);
/* False: its owner has gone, or has nobody left to answer. */
bool offer_is_wanted(const struct offers *offers, struct offer offer);
/* Where the result goes, OFFER_RESULT_BYTES. */
void *offer_room(struct offers *offers, struct offer offer);
/* bytes 0: given up, the owner is told that it is LOST. */
void offer_finish(struct offers *offers, const struct bells *bells, struct offer offer,
                  size_t bytes);

/* This worker has nothing to render: its bell rings when something is offered. True: something
 * may be offered already, look. */
bool offers_idle(struct offers *offers, uint32_t worker);
void offers_busy(struct offers *offers, uint32_t worker);
/* The bell has rung and this worker has become busy: the ring goes on to another if there is work. */
void offers_pass_on(struct offers *offers, const struct bells *bells);

/* ---- how many renders wait, over all workers: of a route (its place in the config, from 1), and in all (0) ---- */

void offers_set_waiting(struct offers *offers, uint32_t worker, uint32_t route, uint32_t waiting);
uint64_t offers_waiting(const struct offers *offers, uint32_t workers, uint32_t route);

/* Master only, after waitpid() and before the number is given out again. Its offers go, what others
 * render for it is for nobody, what it rendered for others is LOST. Returns the slots repaired. */
unsigned offers_reap(struct offers *offers, const struct bells *bells, uint32_t dead);

/* For tests: slots in use. */
unsigned offers_count(const struct offers *offers);

#endif
