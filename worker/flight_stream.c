/* SPDX-License-Identifier: MIT */
/*
 * flight_stream.c - pages that go out while they are made (prototypes: flight.h). The parts of a body
 * go to the one who asked first (stream_out.c), and into the tee, out of which the page is stored when
 * it is whole. What is not for sharing has no tee: it is pulled as fast as its reader reads, or a little
 * ahead of him. Design: worker/README.md, "Streams".
 */
#include "worker/compress_stream.h"
#include "worker/conn.h"
#include "worker/encode.h"
#include "worker/flight.h"
#include "worker/http_state.h"
#include "worker/nonce.h"
#include "worker/stream_out.h"
#include "worker/worker.h"

#include "shm/stats.h"

#include <mimalloc.h>
#include <stdio.h>
#include <string.h>

/* Of a page that is both sent and kept; beyond it, it is sent only. */
#define TEE_BYTES_MAX (16u * (size_t)MIB)

/* Without a tee: so much is made ahead of a slow reader. Most pages are made to their end then, and
 * keep no render open for him. In all streams of a worker together: */
#define AHEAD_BYTES_MAX ((size_t)MIB)
#define AHEAD_BYTES_ALL (16u * (size_t)MIB)

struct flight_stream {
    struct js_result *head; /* with the first part: all but body and reads */
    char *tee;
    size_t tee_bytes;
    size_t tee_cap_bytes;
    bool has_tee;
    struct request *to; /* who gets the parts; NULL: nobody, or gone */
    struct stream_out out;
    size_t counted_bytes; /* of requests.stream_bytes: what waits in `out`, without a tee */
};

/* ---- a result that outlives its callback ---- */

static size_t list_bytes(const struct js_header *list, size_t count)
{
    size_t bytes = count * sizeof *list;

    for (size_t i = 0; i < count; i++)
        bytes += list[i].name_bytes + list[i].value_bytes;
    return bytes;
}

/* Headers at *at, their text at *text; both move on. */
static const struct js_header *copy_list(const struct js_header *from, size_t count,
                                         struct js_header **at, char **text)
{
    struct js_header *list = *at;

    for (size_t i = 0; i < count; i++) {
        list[i] = (struct js_header){*text, from[i].name_bytes, *text + from[i].name_bytes,
                                     from[i].value_bytes};
        memcpy(*text, from[i].name, from[i].name_bytes);
        *text += from[i].name_bytes;
        if (from[i].value_bytes > 0)
            memcpy(*text, from[i].value, from[i].value_bytes);
        *text += from[i].value_bytes;
    }
    *at += count;
    return list;
}

/* One block, by mi_free(); without body, reads and error. */
static struct js_result *copy_result(const struct js_result *from)
{
    struct js_result *copy =
        mi_malloc(sizeof *copy + list_bytes(from->headers, from->header_count) +
                  list_bytes(from->tags, from->tag_count));
    struct js_header *at;
    char *text;

    if (!copy)
        return NULL;
    *copy = *from;
    at = (struct js_header *)(copy + 1);
    text = (char *)(at + from->header_count + from->tag_count);
    copy->headers = copy_list(from->headers, from->header_count, &at, &text);
    copy->tags = copy_list(from->tags, from->tag_count, &at, &text);
    copy->body = "";
    copy->body_bytes = 0;
    copy->reads = (struct js_reads){.cookie = false};
    copy->error = NULL;
    return copy;
}

/* ---- who gets it ---- */

static bool wants_whole(const struct flight *f, const struct http_parse *head)
{
    const struct str_list *agents = &f->all->http->config->render.buffer_for;
    int i = agents->count > 0 ? http_parse_find(head, "user-agent", 10, 0) : -1;
    struct span agent;

    if (i < 0)
        return false;
    agent = http_parse_value(head, i);
    for (size_t k = 0; k < agents->count; k++)
        if (memmem(agent.data, agent.bytes, agents->item[k], strlen(agents->item[k])))
            return true;
    return false;
}

/* A condition or a range can be judged on the whole page alone. */
static bool can_stream(const struct flight *f, const struct request *r)
{
    const struct conn *c = r->conn;

    return c && !c->admin && !r->as_json && r->outer->minor >= 1 && r->outer->method != HTTP_HEAD &&
           r->outer->conditions == 0 && !wants_whole(f, r->outer);
}

bool flight_can_stream(const struct flight *f)
{
    return can_stream(f, TAILQ_FIRST(&f->requests));
}

static void drop_tee(struct flight_stream *s)
{
    mi_free(s->tee);
    s->tee = NULL;
    s->tee_bytes = s->tee_cap_bytes = 0;
    s->has_tee = false;
}

/* Nobody else is to get it: others render their own, and without a reader it ends. */
static void is_for_one(struct flight *f)
{
    struct flight_stream *s = f->stream;

    drop_tee(s);
    flight_unlist(f);
    flight_disclaim(f, CLAIM_PRIVATE);
    flight_part_ways(f);
    if (!s->to)
        (void)renderer_cancel(f->all->worker->renderer, &f->job);
}

static void keep(struct flight *f, const char *data, size_t bytes)
{
    struct flight_stream *s = f->stream;
    size_t cap = s->tee_cap_bytes;

    if (!s->has_tee)
        return;
    if (s->tee_bytes + bytes > TEE_BYTES_MAX) {
        is_for_one(f);
        return;
    }
    if (s->tee_bytes + bytes > cap) {
        char *tee;

        cap = (s->tee_bytes + bytes) * 2;
        tee = mi_realloc(s->tee, cap);
        if (!tee) {
            is_for_one(f);
            return;
        }
        s->tee = tee;
        s->tee_cap_bytes = cap;
    }
    memcpy(s->tee + s->tee_bytes, data, bytes);
    s->tee_bytes += bytes;
}

/* ---- the parts ---- */

/* What waits for the reader has become more or less. */
static void count_waiting(struct flight *f)
{
    struct flight_stream *s = f->stream;
    size_t bytes = s->has_tee ? 0 : stream_out_waiting(&s->out);

    f->all->stream_bytes += bytes - s->counted_bytes;
    s->counted_bytes = bytes;
}

/* What is kept is pulled at its own speed: others wait for it, and the tee holds it anyway. */
static bool wants_more(const struct flight *f)
{
    const struct flight_stream *s = f->stream;
    size_t waiting = stream_out_waiting(&s->out);

    if (s->has_tee || !s->to || (waiting == 0 && !s->to->conn->unsent))
        return true;
    return waiting < AHEAD_BYTES_MAX && f->all->stream_bytes < AHEAD_BYTES_ALL;
}

static void give(struct flight *f, const char *data, size_t bytes, bool is_last)
{
    struct flight_stream *s = f->stream;

    struct conn *c = s->to ? s->to->conn : NULL;

    if (c && !stream_out_add(&s->out, c, (struct span){data, bytes}, is_last)) {
        c->dead = true;
        (void)conn_progress(c);
    }
    count_waiting(f);
}

/* Weak: two streams of a page, and what is kept of it, have other bytes, cut by other flushes (RFC 9110 section 8.8.1). The tag of the
 * page itself, so that it is known again when the page comes out of a cache. */
static size_t weak_etag(struct span etag, char *out, size_t cap_bytes)
{
    bool is_strong = etag.bytes > 0 && etag.data[0] == '"';

    if (etag.bytes + 2 > cap_bytes)
        return 0;
    memcpy(out, "W/", 2);
    memcpy(out + (is_strong ? 2 : 0), etag.data, etag.bytes);
    return etag.bytes + (is_strong ? 2 : 0);
}

/* In the encoding that the reader would have, if it pays. */
static void pack(struct flight *f, const struct request *first, struct span etag,
                 struct reply_text *head)
{
    struct encoder *encoder = f->all->http->encoder;
    enum page_encoding encoding = encoder_wanted(encoder, first->outer);
    char packed_text[HTTP_HEAD_BYTES_MAX];
    struct reply_text packed = {packed_text, 0, sizeof packed_text, false};
    char named[256], tag[256];
    size_t named_bytes = encoder_etag(etag, encoding, named, sizeof named);
    size_t tag_bytes = weak_etag((struct span){named, named_bytes}, tag, sizeof tag);

    if (encoding == PAGE_IDENTITY || (etag.bytes > 0 && tag_bytes <= 2))
        return;
    encoder_head(&packed, (struct span){head->data, head->bytes}, encoding, 0,
                 (struct span){tag, etag.bytes > 0 ? tag_bytes : 0});
    if (packed.overflow || packed.bytes > head->cap_bytes)
        return;
    f->stream->out.packer = compress_stream_new(encoding);
    if (!f->stream->out.packer)
        return;
    memcpy(head->data, packed.data, packed.bytes);
    head->bytes = packed.bytes;
}

/* A nonce of its own for the answer, in its head now and in its parts. False: no randomness. */
static bool begin_nonce(struct flight *f, const struct js_result *head, struct reply_text *text)
{
    const char *mark = f->all->worker->heritage->nonce_mark;
    struct nonce_stream *nonce = &f->stream->out.nonce;

    if (!*mark || (!head->reads.nonce && !head->reads.nonce_about))
        return true;
    if (!nonce_draw(nonce->nonce))
        return false;
    nonce->mark = mark;
    nonce_put(text->data, text->bytes, mark, nonce->nonce);
    return true;
}

/* False: only the whole will do. */
static bool begin_answer(struct flight *f, const struct js_result *head,
                         const struct cache_verdict *verdict)
{
    struct request *first = TAILQ_FIRST(&f->requests);
    char head_text[HTTP_HEAD_BYTES_MAX];
    struct reply_text text = {head_text, 0, sizeof head_text, false};
    struct reply_cache cache = {.origin = f->kind == FLIGHT_BYPASS ? REPLY_BYPASS : REPLY_MISS,
                                .was_stale = f->was_stale,
                                .detail = f->kind == FLIGHT_BYPASS ? "" : verdict->detail,
                                .age_s = verdict->age_ms / 1000};
    struct reply_head about;

    if (!can_stream(f, first) || first->conn->dead || !reply_status_has_body(head->status) ||
        flight_is_failure(head->status))
        return false;
    reply_page_head(&text, f->policy, head, verdict, (struct span){NULL, 0}, &about);
    if (text.overflow) /* told at the end */
        return false;
    if (verdict->packable)
        pack(f, first, about.etag, &text);
    if (!begin_nonce(f, head, &text))
        return false;
    f->stream->to = first;
    first->streams = f;
    answer_count(first->conn, cache.origin, NULL);
    stats_add(&f->all->worker->stats->streams, 1);
    conn_stream_begin(first->conn, first->outer, (struct span){text.data, text.bytes},
                      about.flags & PAGE_OWN_DATE, &cache);
    return true;
}

static bool first_part(struct flight *f, const struct js_part *part)
{
    struct cache_verdict verdict;
    struct js_result head = part->head;
    struct flight_stream *s = mi_zalloc(sizeof *s);
    bool keeps, shareable;

    f->stream = s;
    if (!s)
        return false;
    s->head = copy_result(&head);
    if (!s->head)
        return false;
    s->has_tee = true;
    head.body_bytes = UINT32_MAX; /* long enough for whatever asks */
    flight_judge(f, &head, &verdict, &keeps, &shareable);
    flight_note_hints(f, &head, keeps);
    /* a failure may yet be answered by a stale page, what has no content by none: whole */
    if (begin_answer(f, &head, &verdict) && !keeps) {
        if (f->key.bytes > 0)
            flight_mark(f->all, f->key.hash);
        is_for_one(f);
    } else if (!shareable && s->to) { /* kept, but to be asked for again each time */
        flight_unlist(f);
        flight_disclaim(f, CLAIM_PRIVATE);
        flight_part_ways(f);
    }
    return true;
}

bool flight_part(struct render_job *job, const struct js_part *part)
{
    struct flight *f = (struct flight *)job;

    http_wake(f->all->http);
    if (part->is_first && !first_part(f, part)) {
        (void)renderer_cancel(f->all->worker->renderer, job);
        return false;
    }
    keep(f, part->data, part->bytes);
    give(f, part->data, part->bytes, false);
    return wants_more(f);
}

void flight_stream_drained(struct request *r)
{
    struct flight *f = r->streams;

    if (!f)
        return;
    stream_out_drained(&f->stream->out, r->conn);
    count_waiting(f);
    if (wants_more(f))
        renderer_resume(f->all->worker->renderer, &f->job);
}

bool flight_stream_is_private(const struct request *r)
{
    return r->streams && !r->streams->stream->has_tee;
}

void flight_stream_left(struct request *r)
{
    struct flight *f = r->streams;

    r->streams = NULL;
    if (!f)
        return;
    f->stream->to = NULL;
    stream_out_done(&f->stream->out);
    count_waiting(f);
    if (f->stream->has_tee)
        renderer_resume(f->all->worker->renderer, &f->job);
    else
        (void)renderer_cancel(f->all->worker->renderer, &f->job);
}

/* ---- its end ---- */

void flight_stream_free(struct flight *f)
{
    struct flight_stream *s = f->stream;

    if (!s)
        return;
    f->all->stream_bytes -= s->counted_bytes;
    stream_out_done(&s->out);
    mi_free(s->head);
    mi_free(s->tee);
    mi_free(s);
}

bool flight_stream_end(struct flight *f, const struct js_result *result,
                       struct js_result *ret_whole)
{
    struct flight_stream *s = f->stream;

    keep(f, result->body, result->body_bytes);
    give(f, result->body, result->body_bytes, true);
    if (s->has_tee && s->to) /* not held up by the storing */
        (void)conn_progress(s->to->conn);
    if (!s->has_tee) {
        struct request *r = TAILQ_FIRST(&f->requests);

        if (!r->streams) { /* it has left, or was waiting for a page too large */
            flight_fail(f, 500, NULL);
            return false;
        }
        answer_stream_end(r, true);
        flight_end(f);
        return false;
    }
    *ret_whole = *s->head;
    ret_whole->body = s->tee ? s->tee : "";
    ret_whole->body_bytes = s->tee_bytes;
    ret_whole->reads = result->reads;
    return true;
}
