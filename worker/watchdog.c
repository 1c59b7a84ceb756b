/* SPDX-License-Identifier: MIT */
/*
 * watchdog.c - see watchdog.h.
 *
 *   owner   A0 tick_at = k  (relaxed)            thread  T1 wake_at = t   (seq_cst, holds the mutex)
 *           A1 deadline = d (seq_cst)                    T2 load deadline (seq_cst), then
 *           A2 load wake_at (seq_cst)                       load tick_at  (seq_cst)
 *           A3 wake_at > min(d, k): lock, signal         T3 nothing new: wait until t, or for ever
 * No deadline is slept over: A1/A2 and T1/T2 are a store and a load each on two words in one
 *   total order, so either T2 sees d or A2 sees t; then A3 signals, and because T1 to T3 hold the
 *   mutex the signal falls after the wait began.
 * No tick is slept over: a T2 that sees A1's d sees A0's k after it, though the d of an entry before
 *   was the same number; one that does not, comes before A1, and A2 sees t. Between arm and disarm
 *   tick_at is stored seq_cst and wake_at loaded after it, as A1 and A2 are.
 * A tick is asked for again after AGAIN_NS, until the owner names the next moment: for the same
 *   reason as a shot is repeated (below). The swap by which the thread puts it off fails when the
 *   owner has named one meanwhile, and the owner's stands.
 * No late shot: the thread fires only after turning d into FIRING by a compare-and-swap, and
 *   watchdog_disarm() takes the word back by another: whoever is first wins. A disarm that finds
 *   FIRING waits the few hundred nanoseconds until the shot is done, so that it can't hit the next
 *   render.
 * No lost shot: js_terminate() does nothing where no JavaScript runs, and the owner may have been
 *   descheduled between arming and entering. So the deadline moves on by AGAIN_NS with each shot,
 *   until it is disarmed.
 */
#include "worker/watchdog.h"

#include "worker/js.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#define IDLE UINT64_C(0)
#define FIRING (UINT64_MAX - 1)
#define NEVER UINT64_MAX
#define AGAIN_NS UINT64_C(10000000)
#define TICK_AGAIN_NS UINT64_C(1000000)
#define RELIEF_AFTER 3u /* asks in vain */

struct watchdog {
    struct js *js;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    uint64_t (*relief)(void *arg);
    void *relief_arg;
    uint64_t asked_for_ns;        /* what the thread itself has put into tick_at */
    unsigned in_vain;             /* asks since the owner named a moment */
    bool leaving;                 /* under the mutex */
    _Atomic uint64_t deadline_ns; /* IDLE, FIRING or a deadline */
    _Atomic uint64_t tick_at_ns;  /* counts while a deadline is set */
    _Atomic uint64_t wake_at_ns;  /* when the thread looks next by itself; NEVER: asleep */
};

static void sleep_until(struct watchdog *w, uint64_t at_ns)
{
    struct timespec ts = {.tv_sec = (time_t)(at_ns / 1000000000u),
                          .tv_nsec = (long)(at_ns % 1000000000u)};

    if (at_ns == NEVER)
        (void)pthread_cond_wait(&w->wake, &w->mutex);
    else
        (void)pthread_cond_timedwait(&w->wake, &w->mutex, &ts);
}

static void fire(struct watchdog *w, uint64_t deadline_ns)
{
    if (!atomic_compare_exchange_strong_explicit(&w->deadline_ns, &deadline_ns, FIRING,
                                                 memory_order_acq_rel, memory_order_relaxed))
        return; /* disarmed, or armed anew; pairs with the swap in watchdog_disarm() */
    js_terminate(w->js);
    atomic_store_explicit(&w->deadline_ns, mono_ns() + AGAIN_NS,
                          memory_order_release); /* pairs disarm's loop */
}

static void ask(struct watchdog *w, uint64_t tick_at_ns)
{
    uint64_t pause_ns = 0;

    w->in_vain = tick_at_ns == w->asked_for_ns ? w->in_vain + 1 : 0;
    js_request_tick(w->js);
    if (w->relief && w->in_vain >= RELIEF_AFTER)
        pause_ns = w->relief(w->relief_arg);
    w->asked_for_ns = mono_ns() + (pause_ns > TICK_AGAIN_NS / 4 ? pause_ns : TICK_AGAIN_NS);
    /* relaxed: the word carries nothing but itself */
    (void)atomic_compare_exchange_strong_explicit(&w->tick_at_ns, &tick_at_ns, w->asked_for_ns,
                                                  memory_order_relaxed, memory_order_relaxed);
}

/* Do what is due; false: nothing is. */
static bool act(struct watchdog *w, uint64_t deadline_ns, uint64_t tick_at_ns)
{
    uint64_t now_ns = mono_ns();

    if (now_ns >= deadline_ns)
        fire(w, deadline_ns);
    else if (now_ns >= tick_at_ns)
        ask(w, tick_at_ns);
    else
        return false;
    return true;
}

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static void *watch(void *arg)
{
    struct watchdog *w = arg;

    (void)pthread_setname_np(pthread_self(), "ssrd-watchdog");
    (void)pthread_mutex_lock(&w->mutex);
    while (!w->leaving) {
        uint64_t deadline = atomic_load_explicit(&w->deadline_ns, memory_order_seq_cst);
        uint64_t tick = atomic_load_explicit(&w->tick_at_ns, memory_order_seq_cst);

        if (deadline != IDLE && act(w, deadline, tick))
            continue;
        uint64_t wake_at = deadline == IDLE ? NEVER : earlier(deadline, tick);
        atomic_store_explicit(&w->wake_at_ns, wake_at, memory_order_seq_cst); /* T1, pairs A2 */
        if (atomic_load_explicit(&w->deadline_ns, memory_order_seq_cst) == deadline && /* T2, A1 */
            (deadline == IDLE ||
             atomic_load_explicit(&w->tick_at_ns, memory_order_seq_cst) == tick))
            sleep_until(w, wake_at);
    }
    (void)pthread_mutex_unlock(&w->mutex);
    return NULL;
}

/* Signals are the main thread's: it has libevent's handlers. */
static int start_thread(struct watchdog *w)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&w->thread, NULL, watch, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

int watchdog_start(struct js *js, struct watchdog **ret_watchdog)
{
    struct watchdog *w = calloc(1, sizeof *w);
    pthread_condattr_t attr;
    int error;

    if (!w)
        return -ENOMEM;
    w->js = js;
    atomic_init(&w->tick_at_ns, NEVER);
    atomic_init(&w->wake_at_ns, NEVER);
    (void)pthread_mutex_init(&w->mutex, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    error = start_thread(w);
    if (error) {
        free(w);
        return error;
    }
    *ret_watchdog = w;
    return 0;
}

static void wake(struct watchdog *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->mutex);
}

void watchdog_stop(struct watchdog *watchdog)
{
    if (!watchdog)
        return;
    (void)pthread_mutex_lock(&watchdog->mutex);
    watchdog->leaving = true;
    (void)pthread_cond_signal(&watchdog->wake);
    (void)pthread_mutex_unlock(&watchdog->mutex);
    (void)pthread_join(watchdog->thread, NULL);
    (void)pthread_cond_destroy(&watchdog->wake);
    (void)pthread_mutex_destroy(&watchdog->mutex);
    free(watchdog);
}

void watchdog_arm(struct watchdog *watchdog, uint64_t deadline_ns)
{
    uint64_t tick_ns;

    if (deadline_ns == IDLE)
        deadline_ns = IDLE + 1;
    if (deadline_ns >= FIRING)
        deadline_ns = FIRING - 1;
    tick_ns = atomic_load_explicit(&watchdog->tick_at_ns, memory_order_relaxed); /* A0 was ours */
    atomic_store_explicit(&watchdog->deadline_ns, deadline_ns, memory_order_seq_cst); /* A1 */
    if (atomic_load_explicit(&watchdog->wake_at_ns, memory_order_seq_cst) >
        earlier(deadline_ns, tick_ns)) /* A2 */
        wake(watchdog);                /* A3 */
}

void watchdog_set_relief(struct watchdog *watchdog, uint64_t (*relief)(void *arg), void *arg)
{
    watchdog->relief_arg = arg; /* the store of watchdog_arm() hands them over */
    watchdog->relief = relief;
}

void watchdog_tick_at(struct watchdog *watchdog, uint64_t at_ns)
{
    if (atomic_load_explicit(&watchdog->deadline_ns, memory_order_relaxed) == IDLE) {
        atomic_store_explicit(&watchdog->tick_at_ns, at_ns, memory_order_relaxed); /* A0 */
        return;
    }
    atomic_store_explicit(&watchdog->tick_at_ns, at_ns, memory_order_seq_cst);
    if (atomic_load_explicit(&watchdog->wake_at_ns, memory_order_seq_cst) > at_ns) /* as A2 */
        wake(watchdog);
}

void watchdog_disarm(struct watchdog *watchdog)
{
    uint64_t now = atomic_load_explicit(&watchdog->deadline_ns, memory_order_relaxed);

    do {
        while (unlikely(now == FIRING)) { /* the shot is under way; a new deadline follows it */
            (void)sched_yield();
            now = atomic_load_explicit(&watchdog->deadline_ns, memory_order_relaxed);
        }
        /* acquire: pairs with fire()'s release store, so that the shot is over */
    } while (!atomic_compare_exchange_weak_explicit(&watchdog->deadline_ns, &now, IDLE,
                                                    memory_order_acq_rel, memory_order_relaxed));
}
