/* SPDX-License-Identifier: MIT */
/*
 * master_internal.h - the state that master.c (process, signals, end) and reload.c (which
 * generation serves) share; nobody else includes it.
 */
#ifndef SSRD_MASTER_MASTER_INTERNAL_H
#define SSRD_MASTER_MASTER_INTERNAL_H

#include "master/generation.h"
#include "master/main.h"
#include "master/master.h"

#include <sys/queue.h>

#define MASTER_GENERATIONS_MAX 64 /* alive at once: one serves, one loads, the others drain */

struct control;
struct event;

struct asker {
    TAILQ_ENTRY(asker) link;
    master_outcome *done;
    void *arg;
};
TAILQ_HEAD(askers, asker);

struct master {
    struct master_options options;
    struct event_base *base;
    struct region *region;
    struct cold *cold;
    struct control *control;
    struct listeners listeners;
    struct generation_host host;

    struct generation *generation[MASTER_GENERATIONS_MAX]; /* in no order; NULL: free */
    struct generation *serving;                            /* NULL: none yet */
    struct generation *loading;                            /* NULL: none */
    uint32_t next_number;

    struct generation *leaving; /* its workers are told to drain; the verdict waits for them */
    uint64_t leaving_until_ms;
    char leaving_text[300];
    struct askers askers; /* of the reload under way */
    struct askers next;   /* of the one that starts after it */
    struct event *reload_later;
    struct event *verdict_later;
    bool verdict_ok;
    char *verdict; /* owned; the reload's outcome, to be told from the loop */

    struct watch *watch; /* bundle.watch; NULL: not needed yet */

    uint32_t reloads_seen; /* of region_reloads_asked() */
    char socket_path[108]; /* control socket; "" none */
    char http_path[108];   /* admin HTTP beside it; "" none */

    bool stopping;
    struct askers stop_askers;
    uint64_t watchdog_next_ms;
    uint64_t sweep_next_ms;
    int exit_code;
};

/* reload.c */
int reload_init(struct master *m);
void reload_done(struct master *m);
/* First start: with config and bundle read already (taken). 0, or negative errno and a problem. */
int reload_first(struct master *m, struct config *config, struct bundle *bundle, char *problem,
                 size_t cap);
void reload_on_serving(void *arg, struct generation *generation, uint32_t load_ms,
                       uint32_t warm_ms);
void reload_on_refused(void *arg, struct generation *generation, const char *text);
void reload_check(
    struct master *m); /* a worker's state has changed, a child is gone, time passes */
void reload_cancel(struct master *m); /* the master stops */

/* master.c */
int master_add_generation(struct master *m, struct generation *generation);
void master_tell(struct askers *askers, bool ok, const char *text); /* and free them */
int master_ask(struct askers *askers, master_outcome *done, void *arg);
void master_give_up(struct master *m, int exit_code); /* the first generation was refused */

#endif
