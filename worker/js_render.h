/* SPDX-License-Identifier: MIT */
/* js_render.h - the open render as timers see it: inside of the C edge only. */
#ifndef SSRD_WORKER_JS_RENDER_H
#define SSRD_WORKER_JS_RENDER_H

#include "worker/js_internal.h"

typedef void js_render_step(js *js, Entry &entry, uint64_t now_ms);

/* Run a step in an entry of the open render, then end the render if its promise has settled or the
 * step was stopped. May call done. */
void js_render_resume(js *js, js_render_step *step, uint64_t now_ms);

/* The promise of the open render has its value, or its error. */
bool js_render_settled(const js *js);

#endif
