/* SPDX-License-Identifier: MIT */
/*
 * flight.h - one render and all who wait for it. Flights that others may join stand in a table by
 * key. For request.c, answer.c and the two files of flights.
 *
 * A flight is freed in flight_end() and nowhere else; its requests outlive their connections
 * (request->conn is then NULL), because the first one's head is what JavaScript reads.
 */
#ifndef SSRD_WORKER_FLIGHT_H
#define SSRD_WORKER_FLIGHT_H

#include "shm/claim.h"
#include "shm/offer.h"
#include "shm/page.h"
#include "worker/cache_policy.h"
#include "worker/http_parse.h"
#include "worker/http_reply.h"
#include "worker/js.h"
#include "worker/key.h"
#include "worker/render.h"

#include <sys/queue.h>

struct conn;
struct event;
struct flight_stream;
struct hot_page;
struct http;
struct worker;

#define FLIGHT_BUCKETS 256u
#define FLIGHT_MARKS 1024u
#define FLIGHT_ID_BYTES 16

struct request {
    TAILQ_ENTRY(request) link;
    struct conn *conn;    /* NULL: it has left, or there never was one (a refresh) */
    struct flight *alone; /* that bypasses the caches, for this request only */
    bool as_json;
    struct flight *streams;   /* sends it its page in parts; else NULL */
    struct http_parse *outer; /* of the request to be answered */
    struct http_parse *head;  /* of the request to be rendered; the same but for POST /render */
};
TAILQ_HEAD(request_list, request);

enum flight_kind {
    FLIGHT_SHARED, /* in the table; others may join */
    FLIGHT_ALONE,  /* for one request; its page may be stored all the same */
    FLIGHT_BYPASS, /* for one request; past the caches */
};

struct flight {
    struct render_job job; /* first: the callbacks get it */
    LIST_ENTRY(flight) link;
    struct requests *all;
    enum flight_kind kind;
    bool in_table;
    bool refresh; /* a stale page was served; nobody needs to wait for this */
    bool was_stale;
    struct hot_page *stale;       /* held: what it renews, if that can be asked for; else NULL */
    struct flight_stream *stream; /* once a part of its page has come; else NULL */
    uint64_t epoch;               /* purge epoch when it began */
    uint64_t ahead_of_ms;         /* see struct flight_plan */
    bool begun;
    bool doomed;     /* its render hangs and may read it for ever: nothing of it is freed */
    bool overdue;    /* who joins it is answered at once: flight_overdue() */
    bool owns_claim; /* on its key: flight_wait.c */
    bool waits;      /* for the render of another flight, whose claim it is */
    struct claim claim;
    TAILQ_ENTRY(flight) wait_link;
    uint64_t waits_since_ns;
    bool guest;   /* rendered for another worker: flight_share.c */
    bool offered; /* another worker may take it, or has */
    bool at_home; /* not offered again */
    bool in_cold; /* its page stands in the cold cache, for others too */
    bool marks;   /* its page is not for sharing, and nor will the next ones be */
    struct offer offer;
    TAILQ_ENTRY(flight) away_link;
    uint64_t away_since_ns; /* its turn came, and another worker had it */
    const struct config_policy *policy;
    struct key key; /* bytes 0: none */
    struct request_list requests;
    char id[FLIGHT_ID_BYTES + 1];
    char *origin;
    char *data;
    struct js_header
        header[HTTP_FIELDS_MAX + 3]; /* on top: Host of absolute-form, two validators */
    char key_text[];                 /* then origin, data, and the cookies that the key names */
};
LIST_HEAD(flight_list, flight);
TAILQ_HEAD(flight_waiting, flight);

/* A key whose page was not for sharing: the next ones don't queue behind one another. */
struct mark {
    uint64_t hash;
    uint64_t until_ms;
};

struct requests {
    struct http *http;
    struct worker *worker;
    struct flight_list bucket[FLIGHT_BUCKETS]; /* those others may join */
    struct flight_list others;
    struct flight_waiting waiting; /* for another worker's render */
    struct flight_waiting away;    /* offered to other workers */
    size_t stream_bytes;           /* of streams: for slow readers, who alone get them */
    bool says_idle;                /* others know that this worker has nothing to render */
    struct event *bell;            /* NULL: there is no other worker */
    struct mark mark[FLIGHT_MARKS];
    uint32_t id_base;
    uint32_t id_count;
    char key_text[PAGE_KEY_BYTES_MAX];
    char variant_text[PAGE_KEY_BYTES_MAX];
};

struct flight_plan {
    enum flight_kind kind;
    const struct config_policy *policy;
    struct key key;
    struct span data;
    enum js_call call;
    struct span body; /* of the HTTP request */
    bool was_stale;
    bool refresh;
    struct hot_page *stale; /* held by the caller; the flight takes a hold of its own */
    uint64_t ahead_of_ms;   /* refresh: of a page that is fresh until then; 0: of a stale one */
};

/* conn NULL: a refresh. outer may be head. NULL: out of memory. */
struct request *request_new(struct conn *conn, const struct http_parse *outer,
                            const struct http_parse *head);
void request_free(struct request *request); /* takes NULL */

/* A flight for this request, which it takes. NULL: out of memory; the request is freed. */
struct flight *flight_new(struct requests *all, const struct flight_plan *plan,
                          struct request *request);
void flight_end(struct flight *flight);    /* frees it, and the requests still on it */
void flight_unlist(struct flight *flight); /* from now on nobody joins it */

/* One of this key that may be joined, or NULL. */
struct flight *flight_find(struct requests *all, const struct key *key);

/* Keys whose page was not for sharing a moment ago: their requests don't queue behind one another.
 */
bool flight_is_marked(const struct requests *all, uint64_t hash);
void flight_mark(struct requests *all, uint64_t hash);

/* A stale page good enough when there is no render; the caller becomes holder. */
struct hot_page *flight_find_sie(const struct flight *flight);

/* Closes the connections whose clients have gone: a system call each. */
void flight_drop_leavers(struct flight *flight);
/* Does anybody still wait for it? */
bool flight_is_wanted(const struct flight *flight);

/* All who wait get this page, the first as `cache` says, the others collapsed. The flight is over. */
void flight_answer(struct flight *flight, struct hot_page *hot, struct reply_cache cache);
/* All who wait get the error, or a stale page in its stead. The flight is over. */
void flight_fail(struct flight *flight, uint16_t status, const struct js_error *error);
/* What is rendered is for the first request alone: the others get flights of their own. */
void flight_part_ways(struct flight *flight);

/* flight_wait.c. True: render it. False: another flight renders the same, and this one waits. */
bool flight_claim(struct flight *flight);
/* Its render is over: who waited for it looks. Does nothing where it owns no claim. */
void flight_disclaim(struct flight *flight, enum claim_outcome outcome);
void flight_stop_waiting(struct flight *flight);
int flights_listen(struct requests *all); /* for the bell: 0 / -ENOMEM */
void flights_deafen(struct requests *all);

/* flight_share.c. Queue its render, and offer it to other workers if it can't start at once.
 * 0 / -EBUSY: the queue is full. */
int flight_queue(struct flight *flight);
/* Its turn has come. False: another worker renders it; the flight waits for that, or is over. */
bool flight_take_back(struct flight *flight);
void flight_recall(struct flight *flight); /* it is no longer offered */
/* Does the worker that offered it still want it? */
bool flight_is_expected(const struct flight *flight);
/* The end of a guest, told to its owner; nothing for others. */
void flight_tell_stored(struct flight *flight);
void flight_tell_page(struct flight *flight, const struct page *page, const char *detail,
                      bool mark);
void flight_tell_failed(struct flight *flight, uint16_t status);
void flight_tell_nothing(struct flight *flight);
void flights_fetch(struct requests *all); /* results that have come */
void flights_check_away(struct requests *all, uint64_t limit_ms);
void flights_busy(struct requests *all); /* this worker is about to render */

/* The policy of a request's route. request.c */
const struct config_policy *request_policy(const struct requests *all,
                                           const struct http_parse *head);

/* Queue its render. What can't be queued is shed, and the flight is gone. */
void flight_submit(struct flight *flight);

/*
 * flight_vary.c. The key under which the page of its first request is to be kept: that of the flight, or that of
 * a variant, by all headers that are known to matter; verdict->vary becomes these. False: it can't be kept.
 * *ret_key: valid until the next call of these three, or as long as the flight.
 */
bool flight_page_key(struct flight *flight, struct cache_verdict *verdict, struct key *ret_key);
/* Put the record that leads to the variants of the flight's URL into the caches, unless one led here. */
void flight_put_record(const struct flight *flight, const struct vary *vary);
/* Requests but the first that the page is not for go on to flights of their own variants. */
void flight_regroup(struct flight *flight, const struct vary *vary, const struct page *page);

/* All requests go on to flights of their own variants, by this record. The flight is over. */
void flight_scatter(struct flight *flight, const struct page *record);

/* flight_fresh.c. The fields by which the application is asked whether the page has changed; returns how many. Valid
 * as long as the page. */
size_t flight_add_validators(const struct page *stale, struct js_header header[static 2]);
/* It has not: the stale page with the headers of the answer, as if it had been rendered (RFC 9111
 * section 4.3.4). Valid until flight_freshen_done(); NULL: out of memory. */
struct js_result *flight_freshen(const struct flight *flight, const struct js_result *result);
void flight_freshen_done(struct js_result *result); /* takes NULL */

/* Who waits may load what the page told to load first, when it was rendered last: http.early_hints. */
void flight_hint(const struct flight *flight, const struct request *request);
void flight_note_hints(const struct flight *flight, const struct js_result *result, bool is_kept);

/* flight_stream.c. May the first request get its page in parts? */
bool flight_can_stream(const struct flight *flight);
bool flight_part(struct render_job *job, const struct js_part *part); /* the renderer's callback */
void flight_stream_drained(
    struct request *request);                     /* its connection takes more, and may be gone */
void flight_stream_left(struct request *request); /* its connection closes */
bool flight_stream_is_private(
    const struct request *request); /* it gets a stream that nobody else will get */
/* The last part. True: *ret_whole is the page, to land as any other; valid as long as the flight. False:
 * it was for one reader, and the flight is over. */
bool flight_stream_end(struct flight *flight, const struct js_result *result,
                       struct js_result *ret_whole);
void flight_stream_free(struct flight *flight);

/* flight_land.c. May the page be kept, and answer others without being asked for again? */
void flight_judge(struct flight *flight, const struct js_result *result,
                  struct cache_verdict *ret_verdict, bool *ret_keeps, bool *ret_shareable);
/* Of what stale-if-error is about? */
bool flight_is_failure(uint16_t status);

/* The renderer's callbacks: flight_land.c */
bool flight_begin(struct render_job *job);
void flight_done(struct render_job *job, enum render_end end, const struct js_result *result);
/* It has not stopped at its deadline: all who wait for it are told. It goes on, as one whose clients have left. */
void flight_overdue(struct render_job *job);

/* Answers: to a request that waits (and it is then parted from its connection), or gathered. */
void answer_error(struct request *request, uint16_t status, const struct flight *flight,
                  const struct js_error *error);
void answer_page(const struct flight *flight, struct request *request, struct hot_page *hot,
                 const struct reply_cache *cache);
void answer_gather_failure(struct conn *conn, const struct http_parse *head, uint16_t status,
                           const struct flight *flight, const struct js_error *error);
/* Its page has gone out in parts: whole, or cut, which the client sees. */
void answer_stream_end(struct request *request, bool is_whole);
void answer_count(const struct conn *conn, enum reply_origin origin, struct hot_page *from);
struct reply_cache answer_hit(const struct page *page, enum reply_origin origin, uint64_t now_ms);
int64_t answer_ttl_s(const struct page *page, uint64_t now_ms);

#endif
