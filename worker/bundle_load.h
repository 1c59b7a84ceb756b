/* SPDX-License-Identifier: MIT */
/*
 * bundle_load.h - from the heritage's bundle to an isolate that has it loaded and proven: the
 * steps that zygote, cold workers and `ssrd -t` share, with problems told as text for people.
 */
#ifndef SSRD_WORKER_BUNDLE_LOAD_H
#define SSRD_WORKER_BUNDLE_LOAD_H

#include "shm/base.h"
#include "shm/heritage.h"
#include "worker/js.h"

/* What is wrong, for people: "FILE:LINE:COL: message" and lines below it. */
struct problem {
    char text[ZYGOTE_TEXT_BYTES];
};

void problem_set(struct problem *problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* file:line:col, message, source line, hint, stack; prefix NULL or "rendering /: " */
void problem_from_js(struct problem *problem, const char *prefix, const struct js_error *error);

/* Start V8 in this process, within render.heap and with the flags of the environment variable SSRD_V8_FLAGS, if set: for
 * profilers ("--perf-basic-prof") and experiments. */
void bundle_start_v8(const struct heritage *heritage);

/*
 * A new isolate with the bundle loaded, or NULL and the problem. Loading may run for BUNDLE_LOAD_MS_MAX, in CPU time, sleep
 * for as long in timers of its top level, and take BUNDLE_LOAD_WALL_MS_MAX in all: on a machine that is too busy no good
 * bundle is refused. Console output goes to the log. bundle_start_v8() must have been called.
 */
#define BUNDLE_LOAD_MS_MAX 5000u
#define BUNDLE_LOAD_WALL_MS_MAX 20000u
struct js *bundle_load(const struct heritage *heritage, struct problem *problem);

/*
 * Has JavaScript asked for something outside (a fetch) since this was last asked? Where there is no loop that is
 * refused, with an error that says so: what fails after it is no fault of the page.
 */
bool bundle_asked_outside(void);

/* Render each of bundle.warmup once. 0, or -EINVAL and the problem: what threw, timed out or
 * answered 5xx. */
int bundle_prove(struct js *js, const struct heritage *heritage, struct problem *problem);

/* Render the warm-up pages over and over for at most budget_ms and max_renders renders, so that V8
 * optimises; but those that fetch only once: thousands of renders must not reach a back end. Returns how many were rendered. */
unsigned bundle_heat(struct js *js, const struct heritage *heritage, uint64_t budget_ms,
                     unsigned max_renders);

#endif
