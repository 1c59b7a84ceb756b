/* SPDX-License-Identifier: MIT */
/*
 * trace.h - requests to replay: read from a file, or generated, always the same for the same name.
 */
#ifndef SSRD_PERF_EVICTION_TRACE_H
#define SSRD_PERF_EVICTION_TRACE_H

#include "shm/base.h"

struct trace {
    char name[32];
    uint32_t *object; /* [requests], numbers below objects */
    uint32_t *bytes;  /* [objects]: of the page as it is stored */
    size_t requests;
    uint32_t objects;
    bool sized; /* sizes differ: bytes are worth a column */
};

/* The page of an object in traces without sizes: whole pages fill a segment. */
#define TRACE_UNIT_BYTES 4096u

/* One object a line, any text without blanks; 0 / -errno, also -ENOENT. */
int trace_read(const char *path, struct trace *ret_trace);

/* The i-th generated trace, each of `requests` requests. 0 / -ENOENT: there is none / -ENOMEM. */
int trace_generate(unsigned i, size_t requests, struct trace *ret_trace);

void trace_done(struct trace *trace);

/* The bytes of all objects. */
uint64_t trace_footprint(const struct trace *trace);

#endif
