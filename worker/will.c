/* SPDX-License-Identifier: MIT */
/*
 * will.c - see will.h. Nothing that the JavaScript may still be reading is freed: the main thread is
 * in it until the process ends.
 */
#include "worker/will.h"

#include "shm/base.h"
#include "shm/log.h"
#include "shm/peers.h"
#include "shm/region.h"
#include "worker/access.h"
#include "worker/autopsy.h"
#include "worker/handover.h"
#include "worker/http.h"
#include "worker/render.h"
#include "worker/tick.h"
#include "worker/worker.h"

#include <stdatomic.h>
#include <unistd.h>

#define GIVE_NS UINT64_C(50000000)  /* for room in the socket */
#define FLUSH_NS UINT64_C(50000000) /* for answers that clients are slow to take */
#define MORE_NS                                                                                    \
    UINT64_C(1000000000) /* from the master, on a machine so busy that all this takes long */
#define NAP_NS 1000000L
#define LOOK_MS 300u /* for where it stands; needs a tenth of it, unless the machine is busy */

/* The master would kill us in a moment, by the stamp: it sees that somebody is seeing to it. Its look at the
 * old limit may come first, hence relaxed: nothing is handed over, and being early is all that helps. */
static void ask_for_time(struct peer *peer)
{
    uint64_t limit_ns = atomic_load_explicit(&peer->render_limit_ns, memory_order_relaxed);

    atomic_store_explicit(&peer->render_limit_ns, limit_ns + MORE_NS, memory_order_relaxed);
}

static void flush(struct worker *w)
{
    uint64_t until_ns = mono_ns() + FLUSH_NS;

    while (http_connections(w->http) > 0 && mono_ns() < until_ns) {
        struct timespec nap = {.tv_nsec = NAP_NS};

        (void)tick_turn(w, NAP_NS);
        (void)nanosleep(&nap, NULL);
    }
}

static void turn(void *arg)
{
    (void)tick_turn(arg, NAP_NS);
}

void will_run(struct worker *worker, enum js_outcome outcome)
{
    struct js_error *stood; /* goes with the process */
    size_t given = 0;

    ask_for_time(worker->peer);
    stood = autopsy(worker->js, outcome == JS_OOM ? "V8 has no memory left" : "it can't be stopped",
                    LOOK_MS, turn, worker);
    worker->draining = true; /* what is answered from here on says Connection: close */
    http_drain(worker->http, false);
    renderer_give_up(worker->renderer, outcome, stood);
    if (!region_stopping(worker->heritage->region)) /* else nobody takes them: 503 */
        given = handover_all(worker->http, false, mono_ns() + GIVE_NS);
    renderer_stop(worker->renderer);
    log_error(outcome == JS_OOM ? "V8 has no memory left; this worker ends"
                                : "a render does not end; this worker ends",
              log_uint("handed_over", given), log_uint("left", http_connections(worker->http)));
    flush(worker);
    access_close();
    _exit(HERITAGE_EXIT_HUNG);
}
