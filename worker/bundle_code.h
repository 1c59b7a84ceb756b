/* SPDX-License-Identifier: MIT */
/*
 * bundle_code.h - V8's code of the bundle, from the process that proves it to the workers that load it (`start: cold`): a
 * memfd, sealed before anybody but its maker trusts it.
 */
#ifndef SSRD_WORKER_BUNDLE_CODE_H
#define SSRD_WORKER_BUNDLE_CODE_H

#include <stddef.h>

struct js;

/* In the zygote, before it forks who proves the bundle. -1: none can be had; the others take that. */
int bundle_code_open(void);

/* In who has proven it: js_code() into the memfd. What goes wrong leaves it empty. */
void bundle_code_write(struct js *js, int fd);

/* In the zygote, when its maker has gone: from now on nobody can change it, and bundle_code() is it, here and in whom
 * this process forks. Takes fd. */
void bundle_code_seal(int fd);

/* What there is, for struct js_bundle; NULL and 0: nothing. Valid for ever. */
const void *bundle_code(size_t *ret_bytes);

/* To the log: was it of use, to a worker that has loaded the bundle? */
void bundle_code_tell(const struct js *js);

#endif
