/* SPDX-License-Identifier: MIT */
/* fetch_state.h - what fetch.c, fetch_transfer.c and fetch_loop.c share. Private to them. All of it is touched
 * with the lane only (lane.h). */
#ifndef SSRD_WORKER_FETCH_STATE_H
#define SSRD_WORKER_FETCH_STATE_H

#include "shm/base.h"
#include "worker/fetch_bytes.h"
#include "worker/js.h"

#include <curl/curl.h>
#include <sys/queue.h>

#define FETCH_BUFFER_BYTES (256 * KIB) /* of an answer that is read as it comes: then it pauses */
#define FETCH_SEND_BYTES (64 * KIB)    /* of a streamed body, unsent: then its writer waits */
#define FETCH_SLOTS 256u

struct fetch {
    LIST_ENTRY(fetch) link; /* of its slot */
    struct fetches *all;
    uint64_t id; /* given by JavaScript */
    CURL *easy;  /* NULL: not begun */
    CURLU *url;
    struct curl_slist *headers;
    uint64_t start_ms; /* mono; of the first request, where it was redirected */
    struct js_wait *head_wait;
    struct js_wait
        *end_wait; /* settled last: with what of the answer was not read, or the failure */
    struct js_wait *read_wait;
    struct js_wait *send_wait;
    struct fetch_bytes head; /* of the answer, as text for JavaScript */
    bool head_done;
    bool is_inside;          /* of this server itself: answered in this worker */
    struct fetch_door *door; /* to it, once libcurl has asked for a socket; else NULL */
    unsigned depth;          /* js_request.depth of the render that fetches */
    struct fetch_bytes body;
    uint64_t body_bytes; /* all that came */
    bool wants_all;      /* nobody reads before the end: no pause */
    bool receiving_paused;
    struct fetch_bytes send; /* of a streamed request body */
    size_t sent;             /* of it */
    bool send_over;
    bool sending_paused;
    char host[256];
    unsigned port;
    char failure[256]; /* our own reason; "": libcurl's */
    char curl_error[CURL_ERROR_SIZE];
};

LIST_HEAD(fetch_list, fetch);

struct fetch_loop;

struct fetches {
    struct worker *worker;
    struct fetch_loop *loop; /* NULL before the first */
    /* Of fetches from this server itself: of its own, since those must never wait for one another's
     * connections to be free. */
    struct fetch_loop *inside_loop;
    struct fetch_list slot[FETCH_SLOTS];
    uint64_t count;
};

/* What JavaScript wants, as lines: method, URL, "stream" or "whole", then name and value in turn. */
struct fetch_order {
    const char *text;
    size_t bytes;
    const void *body;
    size_t body_bytes;
};

/* fetch_transfer.c: an easy handle that is ready to go. 0 / negative errno: fetch->failure says why. */
int fetch_transfer_new(struct fetch *fetch, const struct fetch_order *order, uint64_t now_ms);
void fetch_transfer_free(struct fetch *fetch); /* again: does nothing */

/* fetch_loop.c: the multi handles and their events. Added to the one that it belongs to, which is made
 * when it is first needed. 0 / -ENOMEM. */
int fetch_loop_add(struct fetch *fetch);
void fetch_loop_remove(struct fetch *fetch);
void fetch_loop_free(struct fetch_loop *loop); /* no transfer is in it; takes NULL */

/* fetch.c, for the loop: it has ended. Frees it. */
void fetch_ended(struct fetch *fetch, CURLcode code);

#endif
