/* SPDX-License-Identifier: MIT */
/*
 * base.h - the few helpers that every C file of both processes leans on: scoped
 * cleanup, clocks, sizes. Not a place for anything that knows about pages,
 * connections or JavaScript.
 */
#ifndef SSRD_SHM_BASE_H
#define SSRD_SHM_BASE_H

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define array_len(a) (sizeof(a) / sizeof((a)[0]))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* The largest size of a cache line among the CPUs that Debian runs on. */
#define CACHE_LINE_BYTES 64

static inline void base_free_pointer(void *pointer_to_pointer)
{
    free(*(void **)pointer_to_pointer);
}

static inline void base_close_fd(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

/* Values local to one function: freed or closed when it is left. */
#define autofree __attribute__((cleanup(base_free_pointer)))
#define autofd __attribute__((cleanup(base_close_fd)))

/* Hand an autofree pointer or an autofd descriptor on to another owner. */
#define take(pointer)                                                                              \
    ({                                                                                             \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })
#define take_fd(fd)                                                                                \
    ({                                                                                             \
        int taken_fd_ = (fd);                                                                      \
        (fd) = -1;                                                                                 \
        taken_fd_;                                                                                 \
    })

/* Measures: never runs backwards, says nothing of the date. The same in all processes. */
static inline uint64_t mono_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t mono_ms(void)
{
    return mono_ns() / 1000000u;
}

/* Dates: may step. Never subtracted from mono_*. */
static inline uint64_t wall_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}

/* Bytes with a length; not NUL-terminated, borrowed unless its holder says otherwise. */
struct span {
    const char *data;
    size_t bytes;
};

#endif
