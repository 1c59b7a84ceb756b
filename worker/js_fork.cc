/* SPDX-License-Identifier: MIT */
/*
 * js_fork.cc - V8 across fork(2). Node.js builds V8 so that it marks its mappings MADV_DONTFORK; a
 * child would fault at the first touch. What a mapping was marked with stands in smaps, so this
 * walks all of them and needs to know nothing of V8's insides.
 */
#include "worker/js_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define STACK_BYTES ((uintptr_t)512 << 10) /* of a thread's 8 MiB */

/* "VmFlags: rd wr mr mw me dc ac sd": dc is "do not copy on fork". */
static bool not_copied(const char *line)
{
    return strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " dc") != nullptr;
}

static int copy_mappings(FILE *smaps)
{
    unsigned long start = 0, end = 0;
    char *line = nullptr;
    size_t cap = 0;
    int error = 0;

    while (!error && getline(&line, &cap, smaps) > 0) {
        unsigned long from, to;

        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            start = from;
            end = to;
        } else if (not_copied(line)) {
            if (madvise((void *)start, end - start, MADV_DOFORK) != 0) /* NOLINT: an address */
                error = -errno;
        }
    }
    if (!error && ferror(smaps))
        error = -EIO;
    free(line);
    return error;
}

int js_inherit(struct js *)
{
    FILE *smaps = fopen("/proc/self/smaps", "re");
    if (!smaps)
        return -errno;
    int error = copy_mappings(smaps);
    (void)fclose(smaps);
    return error;
}

int js_before_fork(struct js *js)
{
    while (js_wants_realm(js)) /* each child has them, and shares their memory */
        js_prepare(js);
    js_collect(js); /* what is garbage now would be copied into every child */
    return js_inherit(js);
}

void js_after_fork(struct js *js)
{
    js_random_seed(js);
}

js_error *js_stands(struct js *js, const char *message)
{
    js->fatal = nullptr; /* no memory even for that: this process ends at once */
    js->options.console = nullptr;
    v8::Isolate::Scope isolate_scope(js->isolate);
    /* this thread's: V8 parses functions anew for their lines, and would take its stack for exhausted */
    js->isolate->SetStackLimit((uintptr_t)__builtin_frame_address(0) - STACK_BYTES);
    v8::HandleScope handle_scope(js->isolate);
    js_error *error = js_error_here(js->isolate, message);

    js_error_locate(js, error);
    return error;
}
