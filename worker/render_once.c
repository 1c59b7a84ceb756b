/* SPDX-License-Identifier: MIT */
/* render_once.c - see render_once.h. Sleeps where a worker would turn its loop. */
#include "worker/render_once.h"

#include "worker/watchdog.h"

#include <string.h>

#define ABORT_NS UINT64_C(10000000)

static void nap_until(uint64_t at_ns)
{
    struct timespec ts = {.tv_sec = (time_t)(at_ns / 1000000000u),
                          .tv_nsec = (long)(at_ns % 1000000000u)};

    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* The promise is open: run its timers until it settles or the deadline has come. */
static void wait_for_it(struct js *js, struct watchdog *watchdog, struct js_open *open,
                        uint64_t deadline_ns)
{
    while (js_pending(js) > 0) {
        uint64_t timer_ms = js_next_timer_ms(js);

        if (timer_ms == UINT64_MAX || timer_ms >= deadline_ns / 1000000u) {
            nap_until(timer_ms == UINT64_MAX ? mono_ns() : deadline_ns);
            watchdog_arm(watchdog, mono_ns() + ABORT_NS); /* listeners of request.signal run */
            js_cancel(js, open, JS_TIMEOUT);
            watchdog_disarm(watchdog);
            return;
        }
        nap_until(timer_ms * 1000000u);
        watchdog_arm(watchdog, deadline_ns);
        js_run_timers(js, mono_ms());
        watchdog_disarm(watchdog);
    }
}

void render_once(struct js *js, struct watchdog *watchdog, const char *url, const char *data,
                 uint64_t timeout_ms, js_done *done, void *arg)
{
    static const struct js_header host[] = {{"host", 4, "localhost", 9}};
    struct js_request request = {
        .url = url,
        .url_bytes = strlen(url),
        .data = data,
        .data_bytes = data ? strlen(data) : 0,
        .method = "GET",
        .method_bytes = 3,
        .origin = "http://localhost",
        .origin_bytes = 16,
        .headers = host,
        .header_count = 1,
        .id = "warmup",
        .id_bytes = 6,
    };
    uint64_t deadline_ns = mono_ns() + timeout_ms * 1000000u;
    struct js_open *open;

    watchdog_arm(watchdog, deadline_ns);
    open = js_render(js, &request, done, arg);
    watchdog_disarm(watchdog);
    wait_for_it(js, watchdog, open, deadline_ns);
}
