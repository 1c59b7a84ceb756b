/* SPDX-License-Identifier: MIT */
/* js_render.h - open renders as timers and waits see them: inside of the C edge only. */
#ifndef SSRD_WORKER_JS_RENDER_H
#define SSRD_WORKER_JS_RENDER_H

#include "worker/js_internal.h"

/* The first timer of all, if it is due at now_ms and was set before `sequence`: its owner. */
js_open *js_timers_due(js *js, uint64_t now_ms, uint64_t sequence);
void js_timers_fire(js *js, Entry &entry, uint64_t now_ms); /* that one, in an entry of its owner */
void js_timers_end(js *js, js_open *owner);                 /* all of one render */

/* What was settled from outside: whose is first; take it, if it is this render's. */
js_open *js_wait_due(js *js);
js_wait *js_wait_take(js *js, const js_open *owner);
void js_wait_deliver(js *js, Entry &entry, js_wait *wait); /* frees it */
void js_wait_end(js *js, js_open *owner);
js_wait *js_wait_new(js *js, js_open *owner, v8::Local<v8::Promise::Resolver> resolver); /* ours */

/* js_stream.cc */
/* Its body was a stream, which has ended: what the page was then, with what was not fetched. */
js_error *js_stream_page(js *js, Entry &entry, js_open *render, js_result *result);
void js_stream_end(js *js, js_open *render);

/* What it has read of its request so far. */
void js_result_reads(const js *js, const js_open *render, js_result *result);

/* js_lasting.cc: is a promise of ctx.waitUntil() open? Those that are not are dropped. */
bool js_lasts(js *js, js_open *render);
void js_lasting_tell(js *js, js_open *render, const js_error *error); /* NULL: without a reason */

void js_render_note(js *js, js_open *render); /* there is something to see: it is due */

/* Note those whose promise has its value: after an entry whose microtasks were dropped. */
void js_render_scan(js *js);

#endif
