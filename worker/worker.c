/* SPDX-License-Identifier: MIT */
/*
 * worker.c - the life of a worker: its event loop, its renders between the loop's turns, its
 * end. Who does what in a turn: worker/README.md, "Turns".
 *
 *            http_start               SIGTERM (drain)          no connection left, or the deadline
 *   STARTING ──────────▶ SERVING ────────────────▶ DRAINING ─────────────────────────────▶ exit 0
 */
#include "worker/worker.h"

#include "shm/cold.h"
#include "shm/hits.h"
#include "shm/log.h"
#include "shm/peers.h"
#include "shm/purge.h"
#include "shm/region.h"
#include "shm/stats.h"
#include "shm/title.h"
#include "worker/access.h"
#include "worker/bundle_code.h"
#include "worker/bundle_load.h"
#include "worker/fetch.h"
#include "worker/fragment.h"
#include "worker/handover.h"
#include "worker/http.h"
#include "worker/js.h"
#include "worker/lane.h"
#include "worker/loop.h"
#include "worker/recycle.h"
#include "worker/render.h"
#include "worker/will.h"

#include <errno.h>
#include <event2/event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>

#define HANDOVER_NS UINT64_C(20000000) /* to wait for room in the socket */
#define IDLE_CALLBACKS 16u             /* a second: our own timers, and a few requests */
#define BUSY_NS                                                                                    \
    UINT64_C(250000000) /* of CPU a second: from then on a worker has no time to spare */
#define POLISH_NS UINT64_C(250000000) /* of CPU a second that stored pages may be made smaller in */
#define ORPHAN_MS 10000u              /* how long a worker goes on after its master has died */

/* What the loop needs beyond struct worker. */
struct life {
    struct worker worker;
    int signal_fd;
    struct event *on_signal;
    struct event *lifeline;
    struct event *second;
    uint64_t drain_until_ms;  /* mono; 0: not draining */
    uint64_t orphan_until_ms; /* mono; 0: the master lives */
    bool leaving;
    uint64_t callbacks; /* of the loop, when on_second() last looked */
    uint64_t renders;   /* likewise */
    bool garbage;       /* renders since the last collection */
    bool collect;       /* nothing else is to be done: run() collects */
    bool polish;        /* there is time, and there may be pages to make smaller */
    uint64_t cpu_ns;    /* when on_second() last looked: of the process, */
    uint64_t aside_ns;  /* and of it what lane_aside() took */
};

static void tell_master(const struct worker *w)
{
    uint64_t one = 1;

    (void)!write(w->heritage->master_wake_fd, &one,
                 sizeof one); /* an eventfd at its limit is awake */
}

static void set_state(const struct worker *w, enum peer_state state)
{
    /* release: the master that reads the state (acquire) sees what the worker did before */
    atomic_store_explicit(&w->peer->state, state, memory_order_release);
    tell_master(w);
}

/* False: the zygote died before it told the master of us, who has given our place to another. */
static bool take_place(const struct worker *w)
{
    uint32_t expected = PEER_STARTING;

    atomic_store_explicit(&w->peer->self_pid, (uint32_t)getpid(), memory_order_relaxed);
    /* release: a master that reads SERVING (acquire) sees self_pid */
    if (!atomic_compare_exchange_strong_explicit(&w->peer->state, &expected, PEER_SERVING,
                                                 memory_order_acq_rel, memory_order_relaxed))
        return false;
    tell_master(w);
    return true;
}

static void begin_drain(struct life *life)
{
    struct worker *w = &life->worker;
    /* without a master nobody takes over, whatever its zygote came to say before it went */
    bool stopping = region_stopping(w->heritage->region) || life->orphan_until_ms > 0;

    if (!w->draining) {
        w->draining = true;
        life->drain_until_ms = mono_ms() + w->config->shutdown_timeout_ms;
        log_debug("worker drains");
    }
    http_drain(w->http, stopping);
    if (recycle_look(w) && !stopping) /* others of this generation serve: no client need notice */
        (void)handover_all(w->http, true, mono_ns() + HANDOVER_NS);
    set_state(w, PEER_DRAINING); /* after it has stopped accepting: the master waits for that */
}

/* At once: a render that is under way below us is not waited for. */
static void leave(struct life *life)
{
    life->leaving = true;
    if (life->worker.relieved) { /* what does not take ticks can't be ended either */
        access_close();
        _exit(EXIT_SUCCESS);
    }
    if (life->worker.ticking)
        js_terminate(life->worker.js);
}

static void on_signal(evutil_socket_t fd, short events, void *arg)
{
    struct life *life = arg;
    struct signalfd_siginfo info;

    (void)events;
    if (read(fd, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGTERM)
        begin_drain(life);
    else if (info.ssi_signo == SIGQUIT)
        leave(life);
    else
        access_reopen();
}

/* Signals come through a descriptor: libevent keeps what it knows of signals in globals, which here
 * are still the master's, inherited by the fork. The zygote forked us with them blocked. */
static int watch_signals(struct life *life)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -errno;
    life->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (life->signal_fd < 0)
        return -errno;
    life->on_signal =
        event_new(life->worker.base, life->signal_fd, EV_READ | EV_PERSIST, on_signal, life);
    return life->on_signal && event_add(life->on_signal, NULL) == 0 ? 0 : -ENOMEM;
}

/* The master never writes: readable means that it has died. */
static void on_lifeline(evutil_socket_t fd, short events, void *arg)
{
    struct life *life = arg;

    (void)fd;
    (void)events;
    (void)event_del(life->lifeline);
    life->orphan_until_ms = mono_ms() + ORPHAN_MS;
    log_error("the master has died; this worker goes on for 10 s and then drains");
}

/* A second in which nothing rendered, and hardly anybody asked: time for what renders have left. */
static void note_idleness(struct life *life)
{
    const struct worker *w = &life->worker;
    uint64_t renders = recycle_renders(w->stats);
    bool quiet = w->callbacks - life->callbacks <= IDLE_CALLBACKS;

    life->garbage |= renders != life->renders;
    life->collect = life->garbage && renders == life->renders && quiet && !w->draining;
    life->callbacks = w->callbacks;
    life->renders = renders;
}

/* Hits alone leave time; what was done in spare time does not count as work. */
static void note_spare_time(struct life *life)
{
    uint64_t aside_ns = lane_aside_ns(life->worker.lane);
    struct timespec ts;
    uint64_t cpu_ns;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    cpu_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
    life->polish =
        cpu_ns - life->cpu_ns < BUSY_NS + (aside_ns - life->aside_ns) && !life->worker.draining;
    life->cpu_ns = cpu_ns;
    life->aside_ns = aside_ns;
}

/* Nothing is to be rendered: a step of making pages smaller. */
static void polish(struct life *life)
{
    struct worker *w = &life->worker;

    if (lane_aside_ns(w->lane) - life->aside_ns >= POLISH_NS || !http_polish(w->http))
        life->polish = false; /* until the next second */
}

static void collect(struct life *life)
{
    struct worker *w = &life->worker;
    struct js_heap heap;

    life->collect = life->garbage = false;
    renderer_collect(w->renderer);
    js_heap(w->js, &heap);
    recycle_after_collection(w, heap.used_bytes, heap.limit_bytes);
}

static void on_second(evutil_socket_t fd, short events, void *arg)
{
    struct life *life = arg;
    struct worker *w = &life->worker;
    uint64_t now_ms = mono_ms();
    struct js_heap heap;

    (void)fd;
    (void)events;
    atomic_store_explicit(&w->peer->heartbeat_ms, now_ms, memory_order_relaxed);
    (void)recycle_look(w);
    note_idleness(life);
    note_spare_time(life);
    if (!w->relieved) {
        js_heap(w->js, &heap);
        stats_set(&w->stats->heap_bytes, heap.used_bytes);
    }
    if (life->orphan_until_ms > 0 && now_ms >= life->orphan_until_ms)
        begin_drain(life);
    if (life->drain_until_ms > 0 && now_ms >= life->drain_until_ms) {
        log_warn("shutdown_timeout is over; open connections are closed",
                 log_uint("connections", http_connections(w->http)));
        http_abort(w->http);
        leave(life);
    }
}

static int watch_events(struct life *life)
{
    static const struct timeval second = {1, 0};
    struct worker *w = &life->worker;

    life->lifeline =
        event_new(w->base, w->heritage->lifeline_fd, EV_READ | EV_PERSIST, on_lifeline, life);
    life->second = event_new(w->base, -1, EV_PERSIST, on_second, life);
    if (!life->lifeline || !life->second || event_add(life->lifeline, NULL) != 0 ||
        event_add(life->second, &second) != 0)
        return -ENOMEM;
    return watch_signals(life);
}

static void pin(const struct peer *peer)
{
    int cpu = atomic_load_explicit(&peer->cpu, memory_order_relaxed);
    cpu_set_t set;

    if (cpu < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        log_warn("worker is not pinned to its CPU", log_int("cpu", cpu),
                 log_str("error", strerror(errno)));
}

static struct js *load_cold(const struct heritage *heritage)
{
    static struct problem problem; /* 8 kB */
    struct js *js;

    bundle_start_v8(heritage);
    js = bundle_load(heritage, &problem);
    if (!js)
        log_error("worker can't load the bundle", log_str("problem", problem.text));
    else
        bundle_code_tell(js);
    return js;
}

static int set_up(struct life *life, struct js *js)
{
    struct worker *w = &life->worker;
    const struct heritage *h = w->heritage;
    int error;

    w->js = js ? js : load_cold(h);
    if (!w->js)
        return -EINVAL;
    w->takes_request = js_contract(w->js)->takes_request;
    error = loop_new(&w->base, &w->loop_fd);
    if (error)
        return error;
    if (w->loop_fd < 0)
        log_debug("what the loop has to do does not show; ticks come blindly");
    error = cold_open(h->region, w->row, &w->cold);
    if (error)
        return error;
    error = hits_open(h->region, w->row, w->cold, &w->hits);
    if (error)
        return error;
    error = renderer_new(w, &w->renderer);
    if (error)
        return error;
    error = http_new(w, &w->http);
    if (error)
        return error;
    error = fragments_new(w, &w->fragments);
    if (error)
        return error;
    js_set_fragments(w->js, fragments_js(w->fragments));
    error = fetches_new(w, &w->fetches);
    if (error)
        return error;
    js_set_outside(w->js, &fetches_outside, w->fetches);
    error = watch_events(life);
    if (error)
        return error;
    return http_start(w->http);
}

static bool finished(const struct life *life)
{
    const struct worker *w = &life->worker;

    return life->leaving ||
           (w->draining && http_connections(w->http) == 0 && renderer_waiting(w->renderer) == 0);
}

/* The rule of turns: callbacks of the loop never enter JavaScript, JavaScript runs only here. */
static void run(struct life *life)
{
    struct worker *w = &life->worker;

    while (!finished(life)) {
        bool ready = renderer_ready(w->renderer);

        if (!ready && renderer_has_room(w->renderer))
            ready = http_help(w->http); /* nothing of our own to render */
        ready |= life->polish;
        if (event_base_loop(w->base, EVLOOP_ONCE | (ready ? EVLOOP_NONBLOCK : 0)) < 0)
            return;
        renderer_turn(w->renderer);
        if (unlikely(life->collect || life->polish) && !renderer_ready(w->renderer)) {
            if (life->collect)
                collect(life);
            else
                polish(life);
        }
    }
}

static void tear_down(struct life *life)
{
    struct worker *w = &life->worker;
    struct event *events[] = {life->on_signal, life->lifeline, life->second};

    renderer_free(w->renderer); /* first: its jobs end with answers on connections of http */
    if (w->js)
        js_set_fragments(w->js, NULL);
    fetches_free(w->fetches);
    fragments_free(w->fragments);
    http_free(w->http);
    hits_close(w->hits);
    cold_close(w->cold);
    for (size_t i = 0; i < array_len(events); i++)
        if (events[i])
            event_free(events[i]);
    if (w->base)
        event_base_free(w->base);
    if (life->signal_fd >= 0)
        (void)close(life->signal_fd);
}

int worker_main(const struct heritage *heritage, struct js *js, uint32_t row)
{
    struct life life = {
        .signal_fd = -1,
        .worker =
            {
                .heritage = heritage,
                .will = will_run,
                .config = heritage->config,
                .row = row,
                .offers = heritage->offers,
                .purge = purge_of(heritage->region),
                .stats = stats_at(heritage->region, row),
                .peer = peer_at(heritage->region, row),
            },
    };
    struct worker *w = &life.worker;
    unsigned number = w->number = atomic_load_explicit(&w->peer->worker, memory_order_relaxed);
    char name[16];
    int error;

    (void)snprintf(name, sizeof name, "ssrd-worker-%u", number);
    (void)prctl(PR_SET_NAME, name);
    title_set("ssrd: worker %u, generation %u", number, heritage->generation);
    log_process("worker", (int)number);
    pin(w->peer);
    error = set_up(&life, js);
    if (error) {
        log_error("worker can't start", log_str("error", strerror(-error)));
        tear_down(&life);
        return EXIT_FAILURE;
    }
    atomic_store_explicit(&w->peer->heartbeat_ms, mono_ms(), memory_order_relaxed);
    if (take_place(w))
        run(&life);
    tear_down(&life);
    return EXIT_SUCCESS;
}
