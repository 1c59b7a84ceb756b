/* SPDX-License-Identifier: MIT */
/* flight_hint.c - 103 Early Hints for who waits for a render (prototypes: flight.h): whose, and when. What of a page's
 * links: hints.c. Design: worker/README.md, "Early hints". */
#include "worker/conn.h"
#include "worker/flight.h"
#include "worker/hints_shared.h"
#include "worker/http_state.h"
#include "worker/worker.h"

#include "shm/stats.h"

#include <string.h>

/* By host and URL, whatever else its key names: variants load much the same. */
static uint64_t url_hash(const struct flight *f)
{
    const struct js_request *q = &f->job.request;

    return key_hash(q->url, q->url_bytes) ^ key_hash(q->origin, q->origin_bytes) * 31;
}

void flight_hint(const struct flight *f, const struct request *r)
{
    const struct http *http = f->all->http;
    const struct conn *c = r->conn;
    char text[HINTS_BYTES_MAX];
    struct span links;

    if (likely(!http->hints) || !c || c->admin || r->as_json || r->outer->minor < 1 ||
        r->outer->method != HTTP_GET || r->outer->conditions != 0)
        return;
    if (hints_shared(http->worker, url_hash(f), text, &links.bytes))
        links.data = text;
    else
        links = hints_get(http->hints, url_hash(f));
    if (links.bytes == 0)
        return;
    stats_add(&http->worker->stats->early_hints, 1);
    conn_hint(r->conn, links);
}

/* One visitor's, for all that is known: what is not kept may yet be everyone's. */
static bool is_personal(const struct flight *f, const struct js_result *r)
{
    if (f->kind == FLIGHT_BYPASS || r->is_private || r->reads.cookie || r->reads.authorization ||
        r->reads.all || r->reads.other)
        return true;
    for (size_t i = 0; i < r->header_count; i++)
        if (reply_field_says(&r->headers[i], "set-cookie", "") ||
            reply_field_says(&r->headers[i], "cache-control", "private") ||
            reply_field_says(&r->headers[i], "cache-control", "no-store"))
            return true;
    return false;
}

void flight_note_hints(const struct flight *f, const struct js_result *result, bool is_kept)
{
    const struct http *http = f->all->http;
    uint64_t hash;

    if (likely(!http->hints) || result->status != 200 || f->job.request.call != JS_CALL_PAGE)
        return;
    hash = url_hash(f);
    hints_note(http->hints, hash, result,
               is_kept || !is_personal(f, result) ? NULL : &http->config->statics);
    hints_share(http->worker, hash, f->epoch, hints_get(http->hints, hash));
}
