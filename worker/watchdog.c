/* SPDX-License-Identifier: MIT */
/*
 * watchdog.c - see watchdog.h.
 *
 *   owner   A0 tick_at = k  (relaxed)            thread  T1 wake_at = t   (seq_cst), set the timer to t
 *           A1 deadline = d (seq_cst)                    T2 load deadline, tick_at and wake_at
 *           A2 load wake_at (seq_cst)                       (seq_cst, in this order)
 *           A3 wake_at > min(d, k): wake_at =            T3 nothing new: poll(2) the timer, read it
 *              min(d, k) (seq_cst), set the timer to it
 * No deadline is slept over: A1/A2 and T1/T2 are a store and a load each on two words in one
 *   total order, so either T2 sees d and the thread looks anew, or A2 comes after T1 and sees t or
 *   what A3 made of it.
 * Asleep, the timer holds no more than wake_at says, though both threads set it: an A3 whose store comes
 *   after T2 sets the timer after T1 did. One whose store comes between T1 and T2 is seen by T2. One
 *   whose store comes before T1 leaves the timer at t, or, if it is late, at its own min(d, k), than which
 *   the thread, having seen d and k, has put nothing earlier into wake_at.
 *   What expires before T3 stays readable, and nothing reads it between T2 and T3.
 * No tick is slept over: a T2 that sees A1's d sees A0's k after it, though the d of an entry before
 *   was the same number; one that does not, comes before A1, and A2 sees t. Between arm and disarm
 *   tick_at is stored seq_cst and wake_at loaded after it, as A1 and A2 are.
 * Nobody is woken for a short render: where the timer would go off early in this entry, for one that
 *   has ended, A3 puts it off; nobody else waits for what it held. So a worker that renders without a
 *   pause sets the timer twice a tick (0.4 us each), and the thread sleeps. It used to wake up in each
 *   tick, and to be woken for each render after a pause.
 * A tick is asked for again after TICK_AGAIN_NS, until the owner names the next moment: for the same
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
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define IDLE UINT64_C(0)
#define LEAVING (UINT64_MAX - 2)
#define FIRING (UINT64_MAX - 1)
#define NEVER UINT64_MAX
#define AGAIN_NS UINT64_C(10000000)
#define TICK_AGAIN_NS UINT64_C(1000000)
#define RELIEF_AFTER 3u /* asks in vain */
#define BLIND_TICKS                                                                                \
    4u /* after so many with nothing to do one is asked for: the loop has timers too */

struct watchdog {
    struct js *js;
    pthread_t thread;
    int timer_fd; /* both set it: see above */
    int loop_fd;  /* readable: a tick has something to do; -1: not known, each may have */
    uint64_t blind_ns;
    uint64_t early_ns; /* an alarm that comes so much too early is put off */
    uint64_t (*relief)(void *arg);
    void *relief_arg;
    uint64_t asked_for_ns; /* what the thread itself has put into tick_at */
    uint64_t again_ns;     /* and into deadline */
    unsigned in_vain;      /* asks since the owner named a moment */
    uint64_t spare_ns; /* CPU time that the owner is to have had before it is ended; 0: no matter */
    uint64_t spared_ns; /* what its clock said before */
    uint64_t latest_ns;
    clockid_t owner_clock;
    _Atomic bool
        no_ticks; /* the entry takes none; relaxed: A1 hands it over, and a wrong one costs a relief */
    _Atomic uint64_t deadline_ns; /* IDLE, FIRING, LEAVING or a deadline */
    _Atomic uint64_t tick_at_ns;  /* counts while a deadline is set */
    _Atomic uint64_t wake_at_ns;  /* when the thread looks next by itself; NEVER: asleep */
};

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static void set_timer(const struct watchdog *w, uint64_t at_ns)
{
    struct itimerspec its = {.it_value = {.tv_sec = (time_t)(at_ns / 1000000000u),
                                          .tv_nsec = (long)(at_ns % 1000000000u)}};

    if (at_ns == 0) /* which would turn it off */
        its.it_value.tv_nsec = 1;
    (void)timerfd_settime(w->timer_fd, TFD_TIMER_ABSTIME, &its, NULL);
}

/* A second shot finds what the first has not stopped, so it does not wait for asks in vain: on a machine that keeps this
 * thread waiting for each time that it runs, these took longer than render.grace. The relief finds out by itself whether
 * JavaScript still runs. */
static void fire(struct watchdog *w, uint64_t deadline_ns)
{
    bool again = deadline_ns == w->again_ns;

    if (!atomic_compare_exchange_strong_explicit(&w->deadline_ns, &deadline_ns, FIRING,
                                                 memory_order_acq_rel, memory_order_relaxed))
        return; /* disarmed, or armed anew; pairs with the swap in watchdog_disarm() */
    js_terminate(w->js);
    w->again_ns = mono_ns() + AGAIN_NS;
    atomic_store_explicit(&w->deadline_ns, w->again_ns,
                          memory_order_release); /* pairs disarm's loop */
    if (again && w->relief)
        (void)w->relief(w->relief_arg);
}

/* The deadline has come; is its owner to have more, as it hardly ran? Then that is when it may have had it. */
static bool put_off(struct watchdog *w, uint64_t deadline_ns, uint64_t now_ns)
{
    struct timespec at;
    uint64_t ran_ns, later_ns;

    if (likely(w->spare_ns == 0) || now_ns >= w->latest_ns ||
        clock_gettime(w->owner_clock, &at) != 0)
        return false;
    ran_ns = (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec - w->spared_ns;
    if (ran_ns >= w->spare_ns)
        return false;
    later_ns = earlier(now_ns + (w->spare_ns - ran_ns), w->latest_ns);
    /* relaxed: as in disarm, or nothing has changed that the owner would look at */
    (void)atomic_compare_exchange_strong_explicit(&w->deadline_ns, &deadline_ns, later_ns,
                                                  memory_order_relaxed, memory_order_relaxed);
    return true;
}

static void ask(struct watchdog *w, uint64_t tick_at_ns)
{
    uint64_t pause_ns = 0;

    w->in_vain = tick_at_ns == w->asked_for_ns ? w->in_vain + 1 : 0;
    if (atomic_load_explicit(&w->no_ticks, memory_order_relaxed) && w->in_vain < RELIEF_AFTER)
        w->in_vain = RELIEF_AFTER;
    js_request_tick(w->js);
    if (w->relief && w->in_vain >= RELIEF_AFTER)
        pause_ns = w->relief(w->relief_arg);
    w->asked_for_ns = mono_ns() + (pause_ns > TICK_AGAIN_NS / 4 ? pause_ns : TICK_AGAIN_NS);
    /* relaxed: the word carries nothing but itself */
    (void)atomic_compare_exchange_strong_explicit(&w->tick_at_ns, &tick_at_ns, w->asked_for_ns,
                                                  memory_order_relaxed, memory_order_relaxed);
}

/* Asks that were not taken are repeated whatever the loop has to do: only so it shows that the
 * JavaScript takes none. After that the relief has its own reasons, as a tick has. */
static bool has_reason(const struct watchdog *w, uint64_t tick_at_ns, uint64_t now_ns)
{
    struct pollfd loop = {.fd = w->loop_fd, .events = POLLIN};

    return w->loop_fd < 0 || (tick_at_ns == w->asked_for_ns && w->in_vain < RELIEF_AFTER) ||
           now_ns - tick_at_ns >= w->blind_ns || poll(&loop, 1, 0) != 0;
}

/* Do what is due; false: nothing is. */
static bool act(struct watchdog *w, uint64_t deadline_ns, uint64_t tick_at_ns)
{
    uint64_t now_ns = mono_ns();

    if (now_ns >= deadline_ns) {
        if (!put_off(w, deadline_ns, now_ns))
            fire(w, deadline_ns);
    } else if (now_ns >= tick_at_ns && has_reason(w, tick_at_ns, now_ns))
        ask(w, tick_at_ns);
    else
        return false;
    return true;
}

/* T2, pairs A1 and A3 */
static bool is_news(const struct watchdog *w, uint64_t deadline_ns, uint64_t tick_at_ns,
                    uint64_t wake_at_ns)
{
    return atomic_load_explicit(&w->deadline_ns, memory_order_seq_cst) != deadline_ns ||
           (deadline_ns != IDLE &&
            atomic_load_explicit(&w->tick_at_ns, memory_order_seq_cst) != tick_at_ns) ||
           atomic_load_explicit(&w->wake_at_ns, memory_order_seq_cst) != wake_at_ns;
}

/* Until the next moment; when a tick may come, until there is something for it to do. */
static void rest(struct watchdog *w, uint64_t deadline_ns, uint64_t tick_at_ns)
{
    bool may_tick = deadline_ns != IDLE && mono_ns() >= tick_at_ns;
    struct pollfd fds[] = {{.fd = w->timer_fd, .events = POLLIN},
                           {.fd = may_tick ? w->loop_fd : -1, .events = POLLIN}};
    uint64_t wake_at_ns = NEVER;
    uint64_t expirations;

    if (deadline_ns != IDLE)
        wake_at_ns = earlier(deadline_ns, may_tick ? tick_at_ns + w->blind_ns : tick_at_ns);
    atomic_store_explicit(&w->wake_at_ns, wake_at_ns, memory_order_seq_cst); /* T1, pairs A2 */
    if (wake_at_ns != NEVER)
        set_timer(w, wake_at_ns);
    if (is_news(w, deadline_ns, tick_at_ns, wake_at_ns))
        return;
    (void)poll(fds, array_len(fds), -1); /* T3 */
    (void)!read(w->timer_fd, &expirations, sizeof expirations);
}

static void *watch(void *arg)
{
    struct watchdog *w = arg;

    (void)pthread_setname_np(pthread_self(), "ssrd-watchdog");
    for (;;) {
        uint64_t deadline = atomic_load_explicit(&w->deadline_ns, memory_order_seq_cst);
        uint64_t tick = atomic_load_explicit(&w->tick_at_ns, memory_order_seq_cst);

        if (deadline == LEAVING)
            return NULL;
        if (deadline == IDLE || !act(w, deadline, tick))
            rest(w, deadline, tick);
    }
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
    int error;

    if (!w)
        return -ENOMEM;
    w->js = js;
    w->loop_fd = -1;
    atomic_init(&w->tick_at_ns, NEVER);
    atomic_init(&w->wake_at_ns, NEVER);
    w->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (w->timer_fd < 0) {
        error = -errno;
        free(w);
        return error;
    }
    error = start_thread(w);
    if (error) {
        (void)close(w->timer_fd);
        free(w);
        return error;
    }
    *ret_watchdog = w;
    return 0;
}

void watchdog_stop(struct watchdog *watchdog)
{
    if (!watchdog)
        return;
    atomic_store_explicit(&watchdog->deadline_ns, LEAVING, memory_order_seq_cst); /* as A1 */
    set_timer(watchdog, 0);                                                       /* as A3 */
    (void)pthread_join(watchdog->thread, NULL);
    (void)close(watchdog->timer_fd);
    free(watchdog);
}

/* A3 */
static void wake_at(struct watchdog *w, uint64_t at_ns)
{
    atomic_store_explicit(&w->wake_at_ns, at_ns, memory_order_seq_cst);
    set_timer(w, at_ns);
}

void watchdog_arm(struct watchdog *watchdog, uint64_t deadline_ns)
{
    uint64_t tick_ns, want_ns, wakes_ns;

    if (deadline_ns == IDLE)
        deadline_ns = IDLE + 1;
    if (deadline_ns >= LEAVING)
        deadline_ns = LEAVING - 1;
    tick_ns = atomic_load_explicit(&watchdog->tick_at_ns, memory_order_relaxed); /* A0 was ours */
    want_ns = earlier(deadline_ns, tick_ns);
    atomic_store_explicit(&watchdog->deadline_ns, deadline_ns, memory_order_seq_cst); /* A1 */
    wakes_ns = atomic_load_explicit(&watchdog->wake_at_ns, memory_order_seq_cst);     /* A2 */
    if (wakes_ns > want_ns || (watchdog->early_ns > 0 && want_ns - wakes_ns > watchdog->early_ns))
        wake_at(watchdog, want_ns);
}

void watchdog_spare(struct watchdog *watchdog, uint64_t cpu_ns, uint64_t latest_ns)
{
    struct timespec at;

    if (pthread_getcpuclockid(pthread_self(), &watchdog->owner_clock) != 0 ||
        clock_gettime(watchdog->owner_clock, &at) != 0)
        return;
    watchdog->spared_ns = (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
    watchdog->latest_ns = latest_ns;
    watchdog->spare_ns = cpu_ns; /* the store of watchdog_arm() hands them over */
}

void watchdog_watch(struct watchdog *watchdog, int loop_fd, uint64_t tick_ns)
{
    watchdog->loop_fd = loop_fd; /* the store of watchdog_arm() hands them over */
    watchdog->blind_ns = BLIND_TICKS * tick_ns;
    watchdog->early_ns = tick_ns / 2;
}

void watchdog_set_relief(struct watchdog *watchdog, uint64_t (*relief)(void *arg), void *arg)
{
    watchdog->relief_arg = arg; /* the store of watchdog_arm() hands them over */
    watchdog->relief = relief;
}

/* Before the entry is armed, so that relaxed stores do: A1 follows. */
void watchdog_relieve_at(struct watchdog *watchdog, uint64_t at_ns)
{
    atomic_store_explicit(&watchdog->no_ticks, true, memory_order_relaxed);
    atomic_store_explicit(&watchdog->tick_at_ns, at_ns, memory_order_relaxed); /* A0 */
}

void watchdog_tick_at(struct watchdog *watchdog, uint64_t at_ns)
{
    uint64_t deadline_ns =
        atomic_load_explicit(&watchdog->deadline_ns, memory_order_relaxed); /* ours, or FIRING */

    if (deadline_ns == IDLE) {
        if (unlikely(atomic_load_explicit(&watchdog->no_ticks, memory_order_relaxed)))
            atomic_store_explicit(&watchdog->no_ticks, false, memory_order_relaxed);
        atomic_store_explicit(&watchdog->tick_at_ns, at_ns, memory_order_relaxed); /* A0 */
        return;
    }
    atomic_store_explicit(&watchdog->tick_at_ns, at_ns, memory_order_seq_cst);
    at_ns = earlier(deadline_ns, at_ns);
    if (atomic_load_explicit(&watchdog->wake_at_ns, memory_order_seq_cst) != at_ns) /* as A2 */
        wake_at(watchdog, at_ns);
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
