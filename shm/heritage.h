/* SPDX-License-Identifier: MIT */
/*
 * heritage.h - all that a child is born with, and the words master and zygote exchange. The only
 * place where master and worker meet: neither includes the other.
 */
#ifndef SSRD_SHM_HERITAGE_H
#define SSRD_SHM_HERITAGE_H

#include "shm/base.h"
#include "shm/bell.h"
#include "shm/config.h"

struct offers;
struct region;

enum listener_kind { LISTENER_PAGES, LISTENER_ADMIN, LISTENER_INERTIA, LISTENER_HYPERNOVA };

struct heritage_listener {
    int fd; /* listening, non-blocking; the master's, never closed by it while it runs */
    enum listener_kind kind;
    const char *text; /* "127.0.0.1:8080", for logs */
};

/* A worker's exit code: a render did not end, and the worker has seen to its clients (will.h). */
#define HERITAGE_EXIT_HUNG 3

/* A file that the bundle imports. */
struct heritage_file {
    char *name; /* in the way of bundle_name: "dist/chunks/a.js" */
    char *text;
    size_t bytes;
};

#define HERITAGE_NONCE_BYTES 32u

/* Of a template: before the head's outlet, up to the page's, behind it. */
#define HERITAGE_TEMPLATE_PARTS 3

struct heritage {
    const struct config *config;
    struct region *region;
    const struct heritage_listener *listener;
    size_t listener_count;
    const char *bundle; /* its source */
    size_t bundle_bytes;
    const char *bundle_name;          /* its path, for stack traces */
    bool package_is_module;           /* the package.json beside it says so of .js files */
    const struct heritage_file *file; /* sorted by name (strcmp) */
    size_t file_count;
    const struct span *template_part; /* HERITAGE_TEMPLATE_PARTS; data NULL: no template */
    struct span manifest;             /* Vite's; bytes 0: none */
    uint32_t generation;              /* 1, 2, … */
    uint64_t edition;                 /* which pages in the cache are its own: shm/region.h */
    uint64_t edition_before;          /* which may be served stale besides; 0: none */
    uint32_t worker_count; /* workers of this generation: http.connections is shared among them */
    uid_t uid;             /* to become, once; (uid_t)-1: stay */
    gid_t gid;
    struct offers *offers; /* renders that any of its workers may do; NULL: it has one only */
    struct bells bells;    /* of this generation's workers, by their numbers */
    int handover_give_fd; /* socket pair of the master: connections for whichever worker takes them */
    int handover_take_fd;
    int master_wake_fd; /* eventfd: a child writes 1 when its peer row has news for the master */
    int lifeline_fd;    /* read end of a pipe whose write end only the master has: EOF = it died */
    bool replaces;      /* a zygote that has died: workers that die from now on wait for this one */
    const char *version; /* of ssrd */
    /* What stands in pages for their nonces: the same in all generations of a master, known to nobody outside. */
    char nonce_mark[HERITAGE_NONCE_BYTES + 1];
};

/*
 * Messages on the SOCK_SEQPACKET pair between master and zygote, one struct each.
 *   master -> zygote: FORK
 *   zygote -> master: READY (warm-up passed) | REFUSED (text follows; the zygote then exits)
 *                     | FORKED (pid) | FORK_FAILED (error)
 */
enum zygote_verb {
    ZYGOTE_FORK = 1,
    ZYGOTE_READY,
    ZYGOTE_REFUSED,
    ZYGOTE_FORKED,
    ZYGOTE_FORK_FAILED
};

#define ZYGOTE_TEXT_BYTES 8000

struct zygote_message {
    uint32_t verb;
    uint32_t row;     /* peer row: FORK, FORKED, FORK_FAILED */
    int32_t pid;      /* FORKED */
    int32_t error;    /* FORK_FAILED: errno */
    uint32_t load_ms; /* READY: isolate, polyfills and bundle */
    uint32_t warm_ms; /* READY: warm-up pages */
    uint32_t text_bytes;
    char text[ZYGOTE_TEXT_BYTES]; /* REFUSED: what is wrong, for people, several lines allowed */
};

/*
 * The child's whole life, in worker/zygote.c: load the bundle, render the warm-up pages, report,
 * fork workers on demand. Called in a fresh child of the master; channel_fd is its end of the
 * pair. Returns the exit code.
 */
int zygote_main(const struct heritage *heritage, int channel_fd);

/* `ssrd -t` and `ssrctl check`: load the bundle and render in this process; worker/check.c.
 * Prints its report on standard output. Returns the exit code. */
struct check_options {
    const char *const *url; /* NULL: none */
    size_t url_count;
    const char *data; /* JSON or NULL */
    bool json;
    bool quiet; /* print problems only */
};
int check_main(const struct heritage *heritage, const struct check_options *options);

#endif
