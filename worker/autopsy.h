/* SPDX-License-Identifier: MIT */
/*
 * autopsy.h - where the JavaScript stands that can't be ended, told by a copy of the process: V8 looks at a stack
 * only from within the isolate, at a moment of its own choosing, which does not come. In a copy (fork) the thread
 * that is in JavaScript is not there, its stack and heap are, as they were; and when V8 does not bear to be asked in
 * the midst of its work, only the copy ends by it. worker/README.md, "Last will".
 */
#ifndef SSRD_WORKER_AUTOPSY_H
#define SSRD_WORKER_AUTOPSY_H

#include "worker/js.h"

/*
 * On another thread than the isolate's, while that is in JavaScript. Returns owned, or NULL: nothing was found out
 * within timeout_ms, after which the copy is killed. It stands in C++ (a built-in, a native, a collection): these are
 * what can't be interrupted. Where it stood in V8's machine code each time that it was looked at, the stack is "".
 * message: what the error says.
 * meanwhile(arg): on the calling thread, about once a millisecond while it waits.
 */
struct js_error *autopsy(struct js *js, const char *message, unsigned timeout_ms,
                         void (*meanwhile)(void *arg), void *arg);

#endif
