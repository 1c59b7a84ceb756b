/* SPDX-License-Identifier: MIT */
/*
 * render_once.h - one render from start to end in a process without an event loop: warm-up in the
 * zygote, `ssrd -t`, `ssrctl check`.
 */
#ifndef SSRD_WORKER_RENDER_ONCE_H
#define SSRD_WORKER_RENDER_ONCE_H

#include "shm/base.h"
#include "worker/js.h"

struct watchdog;

/*
 * Render url (path and query) as a GET from localhost, waiting for its timers, for at most
 * timeout_ms. done: called once, before this returns, as js_render() says.
 */
void render_once(struct js *js, struct watchdog *watchdog, const char *url, const char *data,
                 uint64_t timeout_ms, js_done *done, void *arg);

#endif
