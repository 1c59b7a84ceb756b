/* SPDX-License-Identifier: MIT */
/*
 * lane.c - see lane.h. The lane is a mutex: what its last holder did happens before what the next
 * one does, so that all that the C side owns needs no locks of its own. Two threads only ever want
 * it, and the watchdog's only tries.
 */
#include "worker/lane.h"

#include "shm/base.h"
#include "worker/tick.h"
#include "worker/watchdog.h"
#include "worker/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define ASIDE_NS UINT64_C(1000000000) /* for the JavaScript in it: finalizers */
#define FATAL_S 2 /* how long the main thread waits for its worker's last will */

struct lane {
    struct worker *worker;
    struct watchdog *watchdog;
    pthread_mutex_t mutex;
    uint64_t tick_ns;
    uint64_t overdue_ns; /* this and the next one: under the mutex */
    uint64_t will_ns;
    void (*overdue)(void *arg); /* NULL: nobody asks */
    void *overdue_arg;
    uint64_t aside_ns;  /* the main thread's own */
    bool lent;          /* the main thread's own */
    _Atomic bool fatal; /* V8 has given up: the will is due, whatever the time */
};

static void on_tick(void *arg)
{
    struct lane *l = arg;
    uint64_t pause_ns;

    (void)lane_take(l);
    pause_ns = tick_turn(l->worker, l->tick_ns);
    watchdog_tick_at(l->watchdog, mono_ns() + pause_ns);
    lane_lend_again(l);
}

/* On the watchdog's thread: the JavaScript takes no tick. */
static uint64_t relieve(void *arg)
{
    struct lane *l = arg;
    struct worker *w = l->worker;
    bool fatal = atomic_load_explicit(&l->fatal, memory_order_relaxed); /* carries nothing else */
    uint64_t pause_ns;

    if (pthread_mutex_trylock(&l->mutex) != 0)
        return 0;
    w->relieved = true;
    if (l->overdue && mono_ns() >= l->overdue_ns) {
        l->overdue_ns = UINT64_MAX;
        l->overdue(l->overdue_arg);
    }
    if (w->will && (fatal || mono_ns() >= l->will_ns))
        w->will(w, fatal ? JS_OOM : JS_TIMEOUT);
    pause_ns = tick_turn(w, l->tick_ns);
    w->relieved = false;
    (void)pthread_mutex_unlock(&l->mutex);
    return pause_ns;
}

/* On the main thread, in the midst of V8, which is about to abort: the process lives until the other
 * thread has seen to those who wait. */
static void on_fatal(void *arg)
{
    struct lane *l = arg;
    struct timespec ts = {.tv_sec = FATAL_S};

    if (!l->lent)
        return;
    atomic_store_explicit(&l->fatal, true, memory_order_relaxed);
    (void)nanosleep(&ts, NULL); /* the will ends the process before that */
}

static bool enter_native(struct worker *worker)
{
    return lane_take(worker->lane);
}

static void leave_native(struct worker *worker)
{
    lane_lend_again(worker->lane);
}

int lane_new(struct worker *worker, struct watchdog *watchdog, struct lane **ret_lane)
{
    struct lane *l = calloc(1, sizeof *l);

    if (!l)
        return -ENOMEM;
    l->worker = worker;
    l->watchdog = watchdog;
    l->tick_ns = worker->config->render.tick_us * UINT64_C(1000);
    l->overdue_ns = l->will_ns = UINT64_MAX;
    (void)pthread_mutex_init(&l->mutex, NULL);
    (void)pthread_mutex_lock(&l->mutex);
    js_set_tick(worker->js, on_tick, l);
    js_set_fatal(worker->js, on_fatal, l);
    watchdog_watch(watchdog, worker->loop_fd, l->tick_ns);
    watchdog_set_relief(watchdog, relieve, l);
    worker->lane = l;
    worker->enter_native = enter_native;
    worker->leave_native = leave_native;
    *ret_lane = l;
    return 0;
}

void lane_free(struct lane *lane)
{
    if (!lane)
        return;
    lane->worker->enter_native = NULL;
    lane->worker->leave_native = NULL;
    lane->worker->lane = NULL;
    js_set_tick(lane->worker->js, NULL, NULL);
    js_set_fatal(lane->worker->js, NULL, NULL);
    (void)pthread_mutex_unlock(&lane->mutex);
    (void)pthread_mutex_destroy(&lane->mutex);
    free(lane);
}

void lane_set_overdue(struct lane *lane, void (*overdue)(void *arg), void *arg)
{
    lane->overdue_arg = arg;
    lane->overdue = overdue;
}

void lane_lend(struct lane *lane, uint64_t now_ns, uint64_t overdue_ns, uint64_t will_ns)
{
    lane->overdue_ns = overdue_ns;
    lane->will_ns = will_ns;
    watchdog_tick_at(lane->watchdog, now_ns + lane->tick_ns);
    lane_lend_again(lane);
}

void lane_lend_again(struct lane *lane)
{
    assert(!lane->lent);
    lane->lent = true;
    (void)pthread_mutex_unlock(&lane->mutex);
}

bool lane_take(struct lane *lane)
{
    if (!lane->lent)
        return false;
    (void)pthread_mutex_lock(&lane->mutex);
    lane->lent = false;
    return true;
}

static uint64_t cpu_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void lane_aside(struct lane *lane, void (*work)(void *arg), void *arg)
{
    uint64_t now_ns = mono_ns();
    uint64_t begun_ns = cpu_ns();

    lane->overdue_ns = lane->will_ns = UINT64_MAX;
    watchdog_relieve_at(lane->watchdog, now_ns);
    lane_lend_again(lane);
    watchdog_arm(lane->watchdog, now_ns + ASIDE_NS);
    work(arg);
    watchdog_disarm(lane->watchdog);
    (void)lane_take(lane);
    lane->aside_ns += cpu_ns() - begun_ns;
}

uint64_t lane_aside_ns(const struct lane *lane)
{
    return lane->aside_ns;
}
