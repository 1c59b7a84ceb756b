/* SPDX-License-Identifier: MIT */
/*
 * http_reply.h - heads of responses as text: those of pages, made once when the page is built, and
 * the few lines that each answer adds (Date, Age, Cache-Status, Connection). Knows no socket.
 */
#ifndef SSRD_WORKER_HTTP_REPLY_H
#define SSRD_WORKER_HTTP_REPLY_H

#include "shm/base.h"
#include "shm/config.h"
#include "shm/page.h"
#include "worker/cache_policy.h"
#include "worker/js.h"

/* Text that grows within given bounds; after an overflow nothing is added and `overflow` tells. */
struct reply_text {
    char *data;
    size_t bytes;
    size_t cap_bytes;
    bool overflow;
};

void reply_add(struct reply_text *text, const char *data, size_t bytes);
void reply_add_str(struct reply_text *text, const char *string);
void reply_add_int(struct reply_text *text, int64_t value);
#define reply_add_literal(text, literal) reply_add((text), "" literal, sizeof(literal) - 1)

const char *reply_status_text(uint16_t status); /* "Not Found"; "Unknown" if so */

/* The Date line, "Date: Fri, 20 Nov 2026 08:18:09 GMT\r\n", remade when the second changes. */
#define REPLY_DATE_BYTES 37 /* behind them stands an empty line */
struct reply_date {
    char line[64];
    uint64_t renew_ms; /* of the monotonic clock that the caller uses */
};
/* Call when now_ms >= renew_ms. */
void reply_date_renew(struct reply_date *date, uint64_t now_ms, uint64_t wall_now_ms);

/* `"` 16 hex digits of the body's XXH3 `"`. */
#define REPLY_ETAG_BYTES 18
void reply_etag(const char *body, size_t body_bytes, char ret_etag[static REPLY_ETAG_BYTES]);

/* May a response of this status have content? (RFC 9110 section 6.4.1; 205: 15.3.6) */
static inline bool reply_status_has_body(uint16_t status)
{
    return status >= 200 && status != 204 && status != 205 && status != 304;
}

/* What a page's head turned out to be. */
struct reply_head {
    struct span etag; /* in the text */
    uint32_t flags;   /* enum page_flag */
};

/*
 * The head of a page as page.h keeps it: status line and fields without Age, Cache-Status,
 * Connection, without Date unless the page has its own, and without the empty line. etag: ours, for pages without a valid one of their own;
 * bytes 0 for none.
 */
void reply_page_head(struct reply_text *text, const struct config_policy *policy,
                     const struct js_result *result, const struct cache_verdict *verdict,
                     struct span etag, struct reply_head *ret_head);

/* From a page's head to that of its 304: ETag, Cache-Control, Vary, Content-Location, Expires, Date (RFC
 * 9110 section 15.4.5), and Set-Cookie, which the client has not had with its copy of the page. */
void reply_not_modified_head(struct reply_text *text, const char *head, size_t head_bytes);

/* From a page's head to that of the part [first, last] of its body (section 15.3.7). */
void reply_part_head(struct reply_text *text, const char *head, size_t head_bytes, uint64_t first,
                     uint64_t last, uint64_t body_bytes);

/* The value of a field of a page's head, name in lower case; data NULL: absent. */
struct span reply_head_field(const char *head, size_t head_bytes, const char *name);

/* How an answer came about, for Cache-Status (RFC 9211) and statistics. */
enum reply_origin {
    REPLY_HOT,
    REPLY_COLD,
    REPLY_STALE,     /* from a cache, past its ttl */
    REPLY_MISS,      /* rendered for this request */
    REPLY_COLLAPSED, /* rendered for another request of the same key */
    REPLY_BYPASS,    /* rendered, caches neither asked nor filled */
};

struct reply_cache {
    enum reply_origin origin;
    bool stored;
    bool was_stale;     /* rendered, because what a cache had was past its ttl */
    bool revalidated;   /* and the application said 304 to that */
    const char *detail; /* "" or a token; with HOT, COLD and STALE it is set by the origin */
    int64_t ttl_s;      /* with hits and what was stored */
    uint64_t age_s;     /* with hits, and with pages that came with an Age */
};

/* Is it the field (name in lower case), and does its value hold the word, in whatever case (RFC 9111 section 5.2)? */
bool reply_field_says(const struct js_header *field, const char *name, const char *word);

/* Age (hits only) and Cache-Status. */
void reply_cache_lines(struct reply_text *text, const struct reply_cache *cache);

/* Connection, where the default of the version does not say it, and the empty line. */
void reply_end(struct reply_text *text, bool keep_alive, uint8_t minor);

#endif
