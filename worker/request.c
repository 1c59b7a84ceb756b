/* SPDX-License-Identifier: MIT */
/* request.c - see request.h: what a request comes to. What no cache can answer waits in a flight
 * (flight.h). */
#include "worker/request.h"

#include "shm/stats.h"
#include "worker/cache_control.h"
#include "worker/conn.h"
#include "worker/encode.h"
#include "worker/flight.h"
#include "worker/hot.h"
#include "worker/http_state.h"
#include "worker/lookup.h"
#include "worker/request_json.h"
#include "worker/worker.h"

static struct requests *requests_of(const struct conn *c)
{
    return c->http->requests;
}

static void out_of_memory(struct conn *c, const struct http_parse *head)
{
    conn_reply_text(c, head, 503, NULL, "Retry-After: 1\r\n", "503 Service Unavailable\n", 24);
}

/* Inside the handling of the request: gather the answer, no more. conn NULL: a refresh. */
static void refuse(const struct flight *f, struct conn *c, const struct http_parse *outer,
                   uint16_t status, bool as_json)
{
    struct hot_page *stale = c ? flight_find_sie(f) : NULL;

    if (stale && !as_json) {
        struct reply_cache cache = answer_hit(&stale->page, REPLY_STALE, f->all->http->now_ms);

        answer_count(c, REPLY_STALE, stale);
        conn_reply_page(c, outer, stale, &cache);
    } else if (c) {
        answer_gather_failure(c, outer, status, f, NULL);
    }
    hot_release(stale);
}

/* Join who renders this key, or start. conn NULL: a refresh. */
static void render(struct requests *all, struct conn *c, const struct http_parse *outer,
                   const struct http_parse *head, struct flight_plan *plan, bool as_json)
{
    struct flight *f = NULL;
    struct request *r;

    /* Who it would join may be waiting for it: fetch() of this server itself. */
    if (c && unlikely(c->depth > 0) && plan->kind == FLIGHT_SHARED)
        plan->kind = FLIGHT_ALONE;
    if (plan->kind == FLIGHT_SHARED && flight_is_marked(all, plan->key.hash)) {
        if (!c) /* its last render could not renew it: each hit trying again would fill the queue */
            return;
        plan->kind = FLIGHT_ALONE;
    }
    if (plan->kind == FLIGHT_SHARED)
        f = flight_find(all, &plan->key);
    if (f && !c)
        return;
    if (unlikely(f && f->overdue)) {
        refuse(f, c, outer, 504, as_json);
        return;
    }
    r = request_new(c, outer, head);
    if (!r) {
        if (c)
            out_of_memory(c, outer);
        return;
    }
    r->as_json = as_json;
    if (f) {
        TAILQ_INSERT_TAIL(&f->requests, r, link);
        flight_hint(f, r);
        return;
    }
    f = flight_new(all, plan, r);
    if (!f) {
        if (c)
            out_of_memory(c, outer);
        return;
    }
    if (flight_queue(f) == 0) {
        flight_hint(f, r);
        return;
    }
    stats_add(&all->worker->stats->renders_shed, 1);
    refuse(f, c, outer, 503, as_json);
    flight_end(f);
}

const struct config_policy *request_policy(const struct requests *all,
                                           const struct http_parse *head)
{
    const struct config *config = all->http->config;

    if (config->routes.count == 0)
        return &config->policy;
    return config_policy_for(config, http_parse_target(head).data, head->path_bytes);
}

/* The second level: the page of the request's variant, whose key becomes the plan's. Takes the
 * hold of *hot, the record. */
static enum found find_variant(struct requests *all, const struct http_parse *head,
                               struct flight_plan *plan, struct hot_page **hot,
                               enum reply_origin *ret_origin)
{
    struct vary vary;
    bool known = vary_from_record(&vary, &(*hot)->page);
    enum found found;

    hot_release(*hot);
    *hot = NULL;
    if (!known)
        return FOUND_NONE;
    if (vary_key(&vary, head, all->key_text, sizeof all->key_text, &plan->key) != 0) {
        plan->kind = FLIGHT_ALONE;
        return FOUND_NONE;
    }
    found = lookup(all->http, &plan->key, hot, ret_origin);
    if (found != FOUND_VARY) /* else: somebody's bytes, not ours */
        return found;
    hot_release(*hot);
    *hot = NULL;
    return FOUND_NONE;
}

static enum found find(struct requests *all, const struct http_parse *head,
                       struct flight_plan *plan, struct hot_page **hot,
                       enum reply_origin *ret_origin)
{
    enum found found = lookup(all->http, &plan->key, hot, ret_origin);

    return likely(found != FOUND_VARY) ? found : find_variant(all, head, plan, hot, ret_origin);
}

/* A page that has not been packed yet in what this client takes best: once, for all who come after. */
static struct hot_page *pack(struct http *http, const struct http_parse *head, struct hot_page *hot)
{
    enum page_encoding lacking = encoder_lacks(http->encoder, head, &hot->page);
    struct hot_page *more;

    if (likely(lacking == PAGE_IDENTITY))
        return hot;
    more = encoder_add(http->encoder, http->hot, hot, lacking, COMPRESS_QUICK);
    if (!more)
        return hot;
    stats_add(&http->worker->stats->pages_packed, 1);
    if (hot->cached)
        hot_put(http->hot, more);
    lookup_replace_cold(http, &hot->page, &more->page);
    hot_release(hot);
    return more;
}

/* Is this fresh page, asked for again and soon to run out, worth a render now that there is time? */
static bool is_due_ahead(const struct requests *all, const struct page *page,
                         enum reply_origin origin)
{
    double share = all->http->config->cache.refresh_ahead;
    uint64_t ttl_ms = page->fresh_until_ms - page->stored_ms;

    return share > 0 && origin == REPLY_HOT &&
           page->fresh_until_ms - all->http->now_ms < (uint64_t)(share * (double)ttl_ms) &&
           renderer_has_room(all->worker->renderer);
}

/* From a cache, if one has it; swr: what is stale may be served when its refresh is under way.
 * outer: of the request to be answered; head: of the one that the page is for. */
static bool answer_from_cache(struct requests *all, struct conn *c, const struct http_parse *outer,
                              const struct http_parse *head, struct flight_plan *plan)
{
    uint64_t now_ms = all->http->now_ms;
    struct hot_page *hot;
    enum reply_origin origin;
    struct reply_cache cache;

    switch (find(all, head, plan, &hot, &origin)) {
    case FOUND_NONE:
    case FOUND_VARY:
        return false;
    case FOUND_FRESH:
        if (unlikely(is_due_ahead(all, &hot->page, origin))) {
            plan->refresh = true;
            plan->ahead_of_ms = hot->page.fresh_until_ms;
        }
        break;
    case FOUND_STALE:
        plan->was_stale = true;
        if (hot->page.flags & (PAGE_OWN_ETAG | PAGE_OWN_MODIFIED))
            plan->stale = hot_hold(hot);
        /* before its ttl ends it is stale because it is the last bundle's: cache.on_reload */
        if (hot->page.swr_until_ms <= now_ms && hot->page.fresh_until_ms <= now_ms) {
            hot_release(hot);
            return false;
        }
        origin = REPLY_STALE;
        plan->refresh = true;
        break;
    }
    if (outer->accept_encoding >= 0)
        hot = pack(all->http, outer, hot);
    answer_count(c, origin, hot);
    cache = answer_hit(&hot->page, origin, now_ms);
    conn_reply_page(c, outer, hot, &cache);
    hot_release(hot);
    return true;
}

/* A method that only the bundle knows the meaning of: rendered for this request alone. */
static void request_other(struct conn *c, const struct http_parse *head, struct span body)
{
    struct requests *all = requests_of(c);
    struct flight_plan plan = {
        .kind = FLIGHT_BYPASS, .policy = request_policy(all, head), .body = body};
    const char *allow = all->worker->takes_request
                            ? "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"
                            : "Allow: GET, HEAD\r\n";
    static const char text[] = "405 Method Not Allowed\n";

    if (head->asterisk) /* OPTIONS * asks of the server as a whole (RFC 9110 section 9.3.7) */
        conn_reply_text(c, head, 204, NULL, allow, "", 0);
    else if (all->worker->takes_request && head->method != HTTP_TRACE)
        render(all, c, head, head, &plan, false);
    else
        conn_reply_text(c, head, 405, NULL, allow, text, sizeof text - 1);
}

/* RFC 9111 section 5.2.1.7. The rest of a request's Cache-Control is not heard: worker/README.md, "Caching semantics". */
static bool asks_caches_only(const struct http_parse *head)
{
    struct cache_control control;

    cache_control_init(&control);
    for (int i = http_parse_find(head, "cache-control", 13, 0); i >= 0;
         i = http_parse_find(head, "cache-control", 13, i + 1)) {
        struct span value = http_parse_value(head, i);

        cache_control_parse(value.data, value.bytes, &control);
    }
    return control.only_if_cached;
}

static void reply_not_cached(struct conn *c, const struct http_parse *head)
{
    static const char text[] = "504 Gateway Timeout: not in a cache\n";

    conn_reply_text(c, head, 504, NULL, "Cache-Status: ssrd; detail=only-if-cached\r\n", text,
                    sizeof text - 1);
}

void request_page(struct conn *c, const struct http_parse *head, struct span body)
{
    struct requests *all = requests_of(c);
    struct flight_plan plan = {.kind = FLIGHT_BYPASS};
    bool has_key;

    if (unlikely(all->http->statics != NULL) && statics_answer(all->http->statics, c, head))
        return;
    if (unlikely(head->method != HTTP_GET && head->method != HTTP_HEAD)) {
        request_other(c, head, body);
        return;
    }
    plan.policy = request_policy(all, head);
    has_key = !key_is_bypass(plan.policy, head) &&
              key_build(&plan.policy->key, head, (struct span){NULL, 0}, all->key_text,
                        sizeof all->key_text, &plan.key) == 0;
    if (likely(has_key)) {
        plan.kind = FLIGHT_SHARED;
        if (likely(answer_from_cache(all, c, head, head, &plan))) {
            if (unlikely(plan.refresh)) {
                render(all, NULL, head, head, &plan, false);
                hot_release(plan.stale);
            }
            return;
        }
    }
    if (unlikely(asks_caches_only(head)))
        reply_not_cached(c, head);
    else
        render(all, c, head, head, &plan, false);
    hot_release(plan.stale);
}

/* From a cache in JSON, for POST /render; no stale ones. */
static bool answer_json_from_cache(struct requests *all, struct conn *c,
                                   const struct http_parse *outer, const struct http_parse *head,
                                   struct flight_plan *plan)
{
    struct hot_page *hot = NULL;
    enum reply_origin origin;
    bool fresh = find(all, head, plan, &hot, &origin) == FOUND_FRESH;

    if (fresh)
        request_reply_json(c, outer, hot, "");
    hot_release(hot);
    return fresh;
}

void request_render(struct conn *c, const struct http_parse *outer, const struct http_parse *head,
                    const struct request_ask *ask)
{
    struct requests *all = requests_of(c);
    struct flight_plan plan = {.kind = FLIGHT_BYPASS,
                               .policy = request_policy(all, head),
                               .data = ask->data,
                               .call = ask->call};

    if (ask->with_cache && !key_is_bypass(plan.policy, head) &&
        key_build(&plan.policy->key, head, ask->data, all->key_text, sizeof all->key_text,
                  &plan.key) == 0) {
        plan.kind = FLIGHT_SHARED;
        if (ask->as_json ? answer_json_from_cache(all, c, outer, head, &plan)
                         : answer_from_cache(all, c, outer, head, &plan)) {
            if (plan.refresh)
                render(all, NULL, head, head, &plan, false);
            hot_release(plan.stale);
            return;
        }
    }
    render(all, c, outer, head, &plan, ask->as_json);
    hot_release(plan.stale);
}
