/* SPDX-License-Identifier: MIT */
/*
 * will.c - see will.h. Nothing that the JavaScript may still be reading is freed: the main thread is
 * in it until the process ends.
 */
#include "worker/will.h"

#include "shm/base.h"
#include "shm/log.h"
#include "worker/access.h"
#include "worker/handover.h"
#include "worker/http.h"
#include "worker/render.h"
#include "worker/tick.h"
#include "worker/worker.h"

#include <stdatomic.h>
#include <unistd.h>

#define GIVE_NS UINT64_C(50000000)  /* for room in the socket */
#define FLUSH_NS UINT64_C(50000000) /* for answers that clients are slow to take */
#define NAP_NS 1000000L

static void flush(struct worker *w)
{
    uint64_t until_ns = mono_ns() + FLUSH_NS;

    while (http_connections(w->http) > 0 && mono_ns() < until_ns) {
        struct timespec nap = {.tv_nsec = NAP_NS};

        (void)tick_turn(w, NAP_NS);
        (void)nanosleep(&nap, NULL);
    }
}

void will_run(struct worker *worker, enum js_outcome outcome)
{
    size_t given;

    worker->draining = true; /* what is answered from here on says Connection: close */
    http_drain(worker->http, false);
    renderer_give_up(worker->renderer, outcome);
    given = handover_all(worker->http, false, mono_ns() + GIVE_NS);
    renderer_stop(worker->renderer);
    log_error(outcome == JS_OOM ? "V8 has no memory left; this worker ends"
                                : "a render does not end; this worker ends",
              log_uint("handed_over", given), log_uint("left", http_connections(worker->http)));
    flush(worker);
    access_close();
    _exit(HERITAGE_EXIT_HUNG);
}
