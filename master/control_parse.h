/* SPDX-License-Identifier: MIT */
/*
 * control_parse.h - one line of the control socket, from foreign bytes to a command that is known
 * to be whole: every field has its type, no field is unknown (a misspelt "prefixes" must not purge
 * nothing and say so was done). Knows neither sockets nor the master, so that a fuzzer can hold it.
 */
#ifndef SSRD_MASTER_CONTROL_PARSE_H
#define SSRD_MASTER_CONTROL_PARSE_H

#include "shm/base.h"

#include <jansson.h>

#define CONTROL_LINE_BYTES_MAX ((size_t)1 << 20)

enum control_verb {
    CONTROL_STATUS,
    CONTROL_RELOAD,
    CONTROL_STOP,
    CONTROL_DRAIN,
    CONTROL_PURGE,
    CONTROL_CACHE_STAT,
    CONTROL_CACHE_LS,
    CONTROL_CACHE_GET,
    CONTROL_LOG,
    CONTROL_WHERE,
};

struct control_request {
    enum control_verb verb;
    json_t *json;       /* owned: what follows points into it */
    const json_t *urls; /* purge: arrays of strings, NULL: not given */
    const json_t *prefixes;
    const json_t *tags;
    bool all;
    const char *prefix; /* cache-ls: "" unless given */
    const char *url;    /* cache-get */
    const char *level;  /* log */
};

/*
 * line: one JSON object, without its line feed; need not be terminated.
 * 0: control_request_done() frees it / -EINVAL: *ret_why is a literal that says what is wrong.
 */
int control_parse(const char *line, size_t line_bytes, struct control_request *ret_request,
                  const char **ret_why);
void control_request_done(struct control_request *request);

/*
 * The path and query of a URL as a person writes it: "/x?y", or "http://host/x?y" that loses scheme
 * and host ("http://host" is "/"). Points into url. -EINVAL: neither.
 */
int control_url_path(const char *url, struct span *ret_path);

#endif
