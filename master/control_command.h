/* SPDX-License-Identifier: MIT */
/*
 * control_command.h - what each command of the control socket does and answers. Knows the master
 * and the shared memory, not the connection: answers are appended to a buffer.
 */
#ifndef SSRD_MASTER_CONTROL_COMMAND_H
#define SSRD_MASTER_CONTROL_COMMAND_H

#include "master/control_parse.h"

struct evbuffer;
struct master;

/* `cache-ls` and `cache-get` end here and say "truncated": the master waits for nobody and grows
 * for nobody, and a walk with its lines must not hold up the restart of a worker. */
#define CONTROL_ENTRIES_MAX 10000
#define CONTROL_ANSWER_BYTES_MAX ((size_t)4 << 20)

#define CONTROL_PREFIXES_MAX 16 /* in one purge: each is a walk over the whole index */

enum control_next {
    CONTROL_ANSWERED,
    CONTROL_AWAIT, /* reload, stop, drain: the answer comes from the master's master_outcome */
};

/* Carry out all but reload, stop and drain, for which nothing is done here. */
enum control_next control_command(struct master *master, const char *http_path,
                                  const struct control_request *request, struct evbuffer *out);

/* Append {"ok":…,"text":…} and a line feed. text: NUL-terminated bytes, UTF-8 or not. */
void control_answer(struct evbuffer *out, bool ok, const char *text);

#endif
