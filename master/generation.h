/* SPDX-License-Identifier: MIT */
/*
 * generation.h - one config and bundle with its zygote and workers, from launch to the last
 * worker's exit. Knows how to fork, watch, replace, drain and kill them; which generation serves is
 * reload.c's business.
 *
 *   LOADING ──all workers serve──▶ SERVING ──generation_drain──▶ DRAINING ──no child left──▶ empty
 *      └──zygote refuses, dies or is too slow──▶ refused: drained and killed
 *
 * While it loads or serves, whatever of it dies is replaced: a worker by its zygote, a zygote by
 * the master, each at once the first time and with growing pauses when it dies young again and
 * again.
 */
#ifndef SSRD_MASTER_GENERATION_H
#define SSRD_MASTER_GENERATION_H

#include "master/bundle.h"
#include "master/listeners.h"
#include "shm/heritage.h"

#include <sys/queue.h>
#include <sys/types.h>

struct cold;
struct event_base;
struct generation;

enum generation_state { GENERATION_LOADING, GENERATION_SERVING, GENERATION_DRAINING };

/* What generations need of the master; all borrowed, longer-lived than any generation. */
struct generation_host {
    struct event_base *base;
    struct region *region;
    struct cold *cold;
    struct listeners *listeners;
    int wake_fd;
    int handover_give_fd;
    int handover_take_fd;
    int lifeline_read_fd;
    int lifeline_write_fd;    /* closed in children */
    uint64_t edition_serving; /* of the generation that serves; 0: none yet */

    /* From the loop, never from within a call of this header. */
    void (*serving)(void *arg, struct generation *generation, uint32_t load_ms, uint32_t warm_ms);
    void (*refused)(void *arg, struct generation *generation, const char *text);
    void (*empty)(void *arg, struct generation *generation); /* may free it */
    void *arg;
};

/*
 * Take config and bundle (taken on success only) and open or share their listeners.
 * 0 / negative errno and a line in problem (-EADDRINUSE: a port is taken).
 */
int generation_new(const struct generation_host *host, uint32_t number, struct config *config,
                   struct bundle *bundle, const char *http_path, struct generation **ret_generation,
                   char *problem, size_t cap);
void generation_free(
    struct generation *generation); /* takes NULL; only when empty or never launched */

int generation_launch(struct generation *generation); /* fork the zygote; 0 / negative errno */

/* SIGCHLD: true when pid was its zygote or a worker of it. */
bool generation_exited(struct generation *generation, pid_t pid, int status);

/* A child's row has news: workers that have begun to serve. */
void generation_poke(struct generation *generation);

/* Several times a second: renders that nothing but SIGKILL ends, workers that give no sign of life,
 * zygotes that do not answer. */
void generation_tick(struct generation *generation, uint64_t now_ms);

void generation_drain(struct generation *generation);
void generation_signal_workers(const struct generation *generation, int signal_number);
void generation_kill(struct generation *generation); /* SIGKILL to all of it */

/* Now and then: peer rows that no worker can claim any more go back. */
void generations_sweep_revoked(const struct generation_host *host, uint64_t now_ms);

enum generation_state generation_state(const struct generation *generation);
uint32_t generation_number(const struct generation *generation);
const struct config *generation_config(const struct generation *generation);
/* Of bundle, options and version: the same, the same pages; config_identity.h. */
uint64_t generation_identity(const struct generation *generation);
const struct heritage *generation_heritage(const struct generation *generation);
/* After generation_drain(): no worker of it accepts any more (it drains, or has gone). */
bool generation_has_stopped_accepting(const struct generation *generation);
uint64_t generation_bundle_hash(const struct generation *generation);
bool generation_is_empty(const struct generation *generation);

#endif
