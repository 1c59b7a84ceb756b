/* SPDX-License-Identifier: MIT */
/*
 * generation_internal.h - what generation.c (its state and ends), generation_zygote.c (the zygote
 * and the channel to it) and generation_worker.c (workers) share; nobody else includes it.
 */
#ifndef SSRD_MASTER_GENERATION_INTERNAL_H
#define SSRD_MASTER_GENERATION_INTERNAL_H

#include "master/backoff.h"
#include "master/generation.h"

struct event;

enum place_state {
    PLACE_EMPTY,   /* to be filled when the zygote is ready and start_at_ms has come */
    PLACE_ORDERED, /* the zygote was told to fork */
    PLACE_ALIVE,   /* the worker's pid is known */
};

/* A worker's place: outlives the workers that fill it one after the other. */
struct place {
    uint32_t number;
    int32_t cpu;
    enum place_state state;
    uint32_t row;          /* ORDERED, ALIVE */
    pid_t pid;             /* ALIVE */
    bool serving;          /* its row has said so */
    bool spare;            /* nobody belongs here now; who still is has been told to go */
    bool hung;             /* we killed it: a render did not end, or it gave no sign of life */
    uint64_t heartbeat_ms; /* ALIVE: of its row, when last looked at */
    uint64_t silent_ms;    /* since it last gave a sign, as far as this process ran itself */
    uint64_t ordered_ms;
    uint64_t start_at_ms; /* mono; EMPTY: not before */
    struct backoff backoff;
};

struct generation {
    struct generation_host host;
    struct config *config;
    struct bundle bundle;
    struct heritage heritage;
    uint64_t identity;
    struct heritage_listener *heritage_listener;
    struct listener **listener;
    size_t listener_count;
    enum generation_state state;

    pid_t zygote_pid; /* 0: none */
    int channel;      /* -1: none */
    struct event *on_channel;
    bool zygote_ready;
    uint64_t zygote_start_ms;
    uint64_t zygote_again_ms; /* when a dead one is started again; 0: it lives */
    struct backoff zygote_backoff;
    uint32_t load_ms, warm_ms;

    struct place *place;
    size_t place_count;      /* one more than workers: recycling needs it */
    struct place *leaver;    /* is being recycled; NULL: nobody */
    struct place *successor; /* takes over from it */
    struct offers *offers;   /* NULL: there is one worker */
    int *bell;               /* an eventfd a place, for whichever worker is in it; -1: none */
    uint64_t tick_ms;        /* mono; the last generation_tick() */
    bool killed;             /* by us: its children's deaths are no news */
    uint64_t drain_until_ms; /* mono; DRAINING: what is left then is killed */
    struct event *retry;     /* the next start_at_ms or zygote_again_ms */
    struct event *later;     /* tells the host: serving, refused, empty */
    char *refusal;           /* owned; set: to be told */
    bool told_serving;
    bool tell_serving;
};

/* generation_zygote.c */
int zygote_launch(struct generation *g);
void zygote_exited(struct generation *g, int status);
int zygote_order(struct generation *g, uint32_t row); /* ask for a worker: 0 / negative errno */
void zygote_dismiss(struct generation *g);            /* close the channel: it exits by itself */

/* generation_recycle.c */
void recycle_poke(struct generation *g); /* a worker has a wish, or serves */
/* Before the place of a dead worker is filled. True: it was told to go, and its end is no news. */
bool recycle_exited(struct generation *g, struct place *place);

/* generation_worker.c */
void workers_fill(struct generation *g); /* order what is due */
void worker_born(struct generation *g, uint32_t row, pid_t pid);
void worker_unborn(struct generation *g, uint32_t row, int error);
bool worker_exited(struct generation *g, pid_t pid, int status);
void workers_orphaned(
    struct generation *g); /* the zygote died: what it was asked for may never come */
void workers_poke(struct generation *g);
void workers_tick(struct generation *g, uint64_t now_ms);
bool workers_accept(const struct generation *g);  /* does any still? */
size_t workers_alive(const struct generation *g); /* ordered ones included */
uint64_t
workers_next_ms(const struct generation *g); /* the earliest start that waits; UINT64_MAX */

/* generation.c */
void generation_refuse(struct generation *g, const char *text);
void generation_reschedule(struct generation *g); /* something about to wait for changed */
void generation_settle(struct generation *g);     /* a child came or went: has the state changed? */
uint64_t generation_load_limit_ms(const struct generation *g); /* for a load, warm-up included */

#endif
