/* SPDX-License-Identifier: MIT */
/*
 * watchdog_fixture.h - for tests of worker/watchdog.c: a js_terminate() of the test's own, which notes each
 * shot and whether it was allowed, and the asks for ticks. Nothing here measures how soon one
 * comes, only that it comes, and that none comes too early or too late. Worth running with the thread
 * sanitizer as well. Included by one file a program.
 */
#ifndef SSRD_TESTS_UNIT_WATCHDOG_FIXTURE_H
#define SSRD_TESTS_UNIT_WATCHDOG_FIXTURE_H

#include "worker/watchdog.h"

#include "worker/js.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <cmocka.h>

#define HOUR_NS UINT64_C(3600000000000)
#define MS_NS UINT64_C(1000000)
#define PAST_NS 1u

/* The isolate, as far as the watchdog knows it. */
struct js {
    pthread_mutex_t mutex;
    pthread_cond_t shot;
    unsigned shots;      /* under the mutex, as are the next two */
    uint64_t shot_ns;    /* when the last one came */
    sigset_t signals;    /* blocked in the thread that shot */
    _Atomic bool target; /* a render whose deadline has come runs: a shot may fall */
    _Atomic unsigned strays;
    unsigned ticks; /* asked for; under the mutex */
    uint64_t tick_ns;
    pid_t thread;
    _Atomic unsigned named; /* by the owner: moments for ticks, as far as it says so */
    unsigned asks_at_first; /* relief; under the mutex */
    unsigned named_before;  /* the thread's own: at its last ask */
    unsigned asks;          /* likewise: since the owner named a moment */
};

void js_request_tick(struct js *js)
{
    unsigned named = atomic_load_explicit(&js->named, memory_order_seq_cst);

    js->asks = named == js->named_before ? js->asks + 1 : 1;
    js->named_before = named;
    (void)pthread_mutex_lock(&js->mutex);
    js->ticks++;
    js->tick_ns = mono_ns();
    js->thread = gettid();
    (void)pthread_cond_signal(&js->shot);
    (void)pthread_mutex_unlock(&js->mutex);
}

void js_terminate(struct js *js)
{
    if (!atomic_load_explicit(&js->target, memory_order_seq_cst))
        (void)atomic_fetch_add_explicit(&js->strays, 1, memory_order_seq_cst);
    (void)pthread_mutex_lock(&js->mutex);
    js->shots++;
    js->shot_ns = mono_ns();
    (void)pthread_sigmask(SIG_SETMASK, NULL, &js->signals);
    (void)pthread_cond_signal(&js->shot);
    (void)pthread_mutex_unlock(&js->mutex);
}

struct fixture {
    struct js js;
    struct watchdog *watchdog;
};

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    (void)pthread_mutex_init(&f->js.mutex, NULL);
    (void)pthread_cond_init(&f->js.shot, NULL);
    *state = f;
    return watchdog_start(&f->js, &f->watchdog);
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    watchdog_stop(f->watchdog); /* what it leaves running would touch f->js */
    (void)pthread_cond_destroy(&f->js.shot);
    (void)pthread_mutex_destroy(&f->js.mutex);
    free(f);
    return 0;
}

/* Returns when the count of shots has reached this number: at once, or never. */
static inline void wait_for_shot(struct js *js, unsigned number)
{
    (void)pthread_mutex_lock(&js->mutex);
    while (js->shots < number)
        (void)pthread_cond_wait(&js->shot, &js->mutex);
    (void)pthread_mutex_unlock(&js->mutex);
}

static inline void wait_for_tick(struct js *js, unsigned number)
{
    (void)pthread_mutex_lock(&js->mutex);
    while (js->ticks < number)
        (void)pthread_cond_wait(&js->shot, &js->mutex);
    (void)pthread_mutex_unlock(&js->mutex);
}

static inline unsigned ticks(struct js *js)
{
    unsigned number;

    (void)pthread_mutex_lock(&js->mutex);
    number = js->ticks;
    (void)pthread_mutex_unlock(&js->mutex);
    return number;
}

static inline unsigned shots(struct js *js)
{
    unsigned number;

    (void)pthread_mutex_lock(&js->mutex);
    number = js->shots;
    (void)pthread_mutex_unlock(&js->mutex);
    return number;
}

/* A render that may be shot, and one that may not. */
static inline void begin_target(struct fixture *f, uint64_t deadline_ns)
{
    atomic_store_explicit(&f->js.target, true, memory_order_seq_cst);
    watchdog_arm(f->watchdog, deadline_ns);
}

static inline void end_target(struct fixture *f)
{
    watchdog_disarm(f->watchdog);
    atomic_store_explicit(&f->js.target, false, memory_order_seq_cst);
}

static inline void no_strays(struct fixture *f)
{
    assert_int_equal(atomic_load_explicit(&f->js.strays, memory_order_seq_cst), 0);
}

#endif
