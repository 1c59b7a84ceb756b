/* SPDX-License-Identifier: MIT */
/*
 * will.h - the end of a worker whose JavaScript can't be ended: what it owes its clients is seen to
 * first. worker/README.md, "Last will".
 */
#ifndef SSRD_WORKER_WILL_H
#define SSRD_WORKER_WILL_H

#include "worker/js.h"

struct worker;

/*
 * On the watchdog's thread, which has the lane and keeps it: the render that runs is answered 504
 * (JS_TIMEOUT) or 500 (JS_OOM) or in their stead, all other connections go to other workers, what
 * can't go is answered 503. Ends the process with HERITAGE_EXIT_HUNG.
 */
void will_run(struct worker *worker, enum js_outcome outcome);

#endif
