/* SPDX-License-Identifier: MIT */
/*
 * fetch.c - see fetch.h: the asks of polyfills/fetch.js, and a fetch from the first of them to its end. A
 * fetch lives as long as its end_wait: settled when the transfer has ended, or forgotten with its render.
 */
#include "worker/fetch.h"

#include "shm/log.h"
#include "shm/stats.h"
#include "worker/fetch_allow.h"
#include "worker/fetch_inside.h"
#include "worker/fetch_state.h"
#include "worker/worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct fetch_list *slot_of(struct fetches *all, uint64_t id)
{
    return &all->slot[id % FETCH_SLOTS];
}

static struct fetch *find(struct fetches *all, uint64_t id)
{
    struct fetch *f;

    LIST_FOREACH(f, slot_of(all, id), link)
    if (f->id == id)
        return f;
    return NULL;
}

static void drop_wait(struct js_wait *wait)
{
    if (wait)
        js_wait_set_work(wait, NULL);
}

/* Its waits, where there are any left, are settled by whoever calls, or forgotten. */
static void fetch_free(struct fetch *f)
{
    struct fetches *all = f->all;

    drop_wait(f->head_wait);
    drop_wait(f->end_wait);
    drop_wait(f->read_wait);
    drop_wait(f->send_wait);
    if (f->easy)
        fetch_loop_remove(f);
    fetch_transfer_free(f);
    fetch_door_free(f->door);
    fetch_bytes_free(&f->head);
    fetch_bytes_free(&f->body);
    fetch_bytes_free(&f->send);
    LIST_REMOVE(f, link);
    all->count--;
    stats_set(&all->worker->stats->fetches, all->count);
    free(f);
}

static void settle(struct js_wait **wait, enum js_value kind, const void *data, size_t bytes)
{
    if (*wait)
        js_settle(*wait, kind, data, bytes);
    *wait = NULL;
}

/* In this order JavaScript sees it: the head, what it reads, the end. */
static void finish(struct fetch *f, enum js_value kind, const void *data, size_t bytes)
{
    settle(&f->head_wait, kind == JS_VALUE_ERROR ? kind : JS_VALUE_NOTHING, data, bytes);
    settle(&f->read_wait, JS_VALUE_NOTHING, NULL, 0);
    settle(&f->send_wait, JS_VALUE_NOTHING, NULL, 0);
    settle(&f->end_wait, kind, data, bytes);
    fetch_free(f);
}

static void fail(struct fetch *f, const char *reason)
{
    char text[640];
    int bytes = snprintf(text, sizeof text, "%s:%u: %s", f->host, f->port, reason);

    finish(f, JS_VALUE_ERROR, text, bytes < (int)sizeof text ? (size_t)bytes : sizeof text - 1);
}

static void count_end(struct fetch *f, CURLcode code)
{
    struct stats *stats = f->all->worker->stats;

    if (code == CURLE_OK)
        stats_add(&stats->fetches_ok, 1);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        stats_add(&stats->fetches_timeout, 1);
    else
        stats_add(&stats->fetches_error, 1);
    stats_add(&stats->fetches_ms, mono_ms() - f->start_ms);
}

void fetch_ended(struct fetch *fetch, CURLcode code)
{
    char reason[80];

    count_end(fetch, code);
    if (code == CURLE_OK && fetch->head_done) {
        finish(fetch, JS_VALUE_BYTES, fetch->body.data, fetch->body.used);
        return;
    }
    if (fetch->failure[0] != '\0') {
        fail(fetch, fetch->failure);
        return;
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        (void)snprintf(reason, sizeof reason, "not done within fetch.timeout (%llu ms)",
                       (unsigned long long)fetch->all->worker->config->fetch.timeout_ms);
        fail(fetch, reason);
        return;
    }
    fail(fetch, fetch->curl_error[0] ? fetch->curl_error : curl_easy_strerror(code));
}

/* ---- asks ---- */

struct ask {
    struct fetches *all;
    struct js_wait *wait;
    uint64_t id;
    const char *rest; /* of the text, behind the id */
    size_t rest_bytes;
    const void *data;
    size_t data_bytes;
};

static void done_at_once(const struct ask *ask)
{
    js_settle(ask->wait, JS_VALUE_NOTHING, NULL, 0);
}

static void keep(struct fetch *f, struct js_wait **place, const struct ask *ask)
{
    settle(place, JS_VALUE_NOTHING, NULL, 0); /* one at a time */
    *place = ask->wait;
    js_wait_set_work(ask->wait, f);
}

/* The first of a fetch: its head will be wanted. */
static void ask_head(const struct ask *ask)
{
    struct fetch *f = calloc(1, sizeof *f);

    if (!f) {
        js_settle(ask->wait, JS_VALUE_ERROR, "no memory", 9);
        return;
    }
    f->all = ask->all;
    f->id = ask->id;
    f->start_ms = mono_ms();
    LIST_INSERT_HEAD(slot_of(f->all, f->id), f, link);
    f->all->count++;
    stats_set(&f->all->worker->stats->fetches, f->all->count);
    keep(f, &f->head_wait, ask);
}

/* After a redirect the time goes on from its first request: that comes before the order. */
static uint64_t take_number(const char **text, size_t *bytes)
{
    uint64_t value = 0;

    while (*bytes > 0 && **text >= '0' && **text <= '9') {
        value = value * 10 + (uint64_t)(**text - '0');
        (*text)++;
        (*bytes)--;
    }
    if (*bytes > 0) { /* the line's end */
        (*text)++;
        (*bytes)--;
    }
    return value;
}

static void ask_begin(const struct ask *ask)
{
    struct fetches *all = ask->all;
    struct fetch *f = find(all, ask->id);
    struct fetch_order order = {ask->rest, ask->rest_bytes, ask->data, ask->data_bytes};
    uint64_t now_ms = mono_ms();
    uint64_t ago_ms;
    int error;

    if (!f || f->end_wait) {
        done_at_once(ask);
        return;
    }
    keep(f, &f->end_wait, ask);
    ago_ms = take_number(&order.text, &order.bytes);
    f->start_ms = now_ms - (ago_ms < now_ms ? ago_ms : now_ms);
    f->depth = js_wait_depth(ask->wait);
    error = fetch_transfer_new(f, &order, now_ms);
    if (error)
        fetch_transfer_free(f);
    if (!error && fetch_loop_add(f) != 0) {
        fetch_transfer_free(f);
        error = -ENOMEM;
    }
    if (error) {
        stats_add(error == -EACCES ? &all->worker->stats->fetches_refused
                                   : &all->worker->stats->fetches_error,
                  1);
        fail(f, f->failure[0] ? f->failure : "no memory");
    }
}

static void go_on(struct fetch *f)
{
    f->receiving_paused = f->sending_paused = false;
    (void)curl_easy_pause(f->easy, CURLPAUSE_CONT);
}

/* What has come, or the next that comes; nothing: see the end. */
static void ask_read(const struct ask *ask)
{
    struct fetch *f = find(ask->all, ask->id);

    if (!f || !f->easy) {
        done_at_once(ask);
        return;
    }
    if (f->body.used > 0) {
        js_settle(ask->wait, JS_VALUE_BYTES, f->body.data, f->body.used);
        f->body.used = 0;
    } else {
        keep(f, &f->read_wait, ask);
    }
    if (f->receiving_paused)
        go_on(f);
}

static void ask_all(const struct ask *ask)
{
    struct fetch *f = find(ask->all, ask->id);

    done_at_once(ask);
    if (!f || !f->easy)
        return;
    f->wants_all = true;
    if (f->receiving_paused)
        go_on(f);
}

static void ask_cancel(const struct ask *ask)
{
    struct fetch *f = find(ask->all, ask->id);

    done_at_once(ask);
    if (!f)
        return;
    stats_add(&ask->all->worker->stats->fetches_aborted, 1);
    finish(f, JS_VALUE_NOTHING, NULL, 0);
}

/* A piece of a streamed body; settled when there is room for the next. */
static void ask_send(const struct ask *ask)
{
    struct fetch *f = find(ask->all, ask->id);

    if (!f || !f->easy || fetch_bytes_add(&f->send, ask->data, ask->data_bytes) != 0) {
        done_at_once(ask);
        return;
    }
    if (f->send.used - f->sent < FETCH_SEND_BYTES)
        done_at_once(ask);
    else
        keep(f, &f->send_wait, ask);
    if (f->sending_paused)
        go_on(f);
}

static void ask_sent(const struct ask *ask)
{
    struct fetch *f = find(ask->all, ask->id);

    done_at_once(ask);
    if (!f || !f->easy)
        return;
    f->send_over = true;
    if (f->sending_paused)
        go_on(f);
}

static const struct {
    const char *name;
    void (*run)(const struct ask *ask);
} verbs[] = {
    {"fetch.head", ask_head}, {"fetch.begin", ask_begin},   {"fetch.read", ask_read},
    {"fetch.all", ask_all},   {"fetch.cancel", ask_cancel}, {"fetch.send", ask_send},
    {"fetch.sent", ask_sent},
};

static bool on_ask(void *arg, struct js_wait *wait, const char *what, size_t what_bytes,
                   const void *data, size_t data_bytes)
{
    struct fetches *all = arg;
    struct worker *w = all->worker;
    const char *end = memchr(what, '\n', what_bytes);
    size_t name_bytes = end ? (size_t)(end - what) : what_bytes;
    bool entered;

    for (size_t i = 0; i < array_len(verbs); i++) {
        struct ask ask = {.all = all, .wait = wait, .data = data, .data_bytes = data_bytes};

        if (strlen(verbs[i].name) != name_bytes || memcmp(verbs[i].name, what, name_bytes) != 0 ||
            !end)
            continue;
        ask.rest = end + 1;
        ask.rest_bytes = what_bytes - name_bytes - 1;
        ask.id = take_number(&ask.rest, &ask.rest_bytes);
        entered = w->enter_native && w->enter_native(w);
        verbs[i].run(&ask);
        if (entered)
            w->leave_native(w);
        return true;
    }
    return false;
}

/* The render has ended. Its waits come one by one: the first that matters ends the fetch. */
static void on_forget(void *arg, struct js_wait *wait)
{
    struct fetches *all = arg;
    struct worker *w = all->worker;
    bool entered = w->enter_native && w->enter_native(w);
    struct fetch *f = js_wait_work(wait);

    if (f) {
        bool lives = f->end_wait && f->end_wait != wait && f->head_wait != wait;

        if (f->read_wait == wait)
            f->read_wait = NULL;
        if (f->send_wait == wait)
            f->send_wait = NULL;
        if (!lives) {
            stats_add(&w->stats->fetches_aborted, 1);
            fetch_free(f);
        }
    }
    if (entered)
        w->leave_native(w);
}

const struct js_outside fetches_outside = {on_ask, on_forget};

int fetches_new(struct worker *worker, struct fetches **ret_fetches)
{
    const struct str_list *allow = &worker->config->fetch.allow;
    struct fetches *all = calloc(1, sizeof *all);

    if (!all)
        return -ENOMEM;
    all->worker = worker;
    for (size_t i = 0; i < FETCH_SLOTS; i++)
        LIST_INIT(&all->slot[i]);
    for (size_t i = 0; i < allow->count; i++)
        if (!fetch_allow_is_entry(allow->item[i]))
            log_warn("fetch.allow: no host, host:port, address or network; it allows nothing",
                     log_str("entry", allow->item[i]));
    *ret_fetches = all;
    return 0;
}

void fetches_free(struct fetches *fetches)
{
    if (!fetches)
        return;
    for (size_t i = 0; i < FETCH_SLOTS; i++)
        while (!LIST_EMPTY(&fetches->slot[i]))
            fetch_free(LIST_FIRST(&fetches->slot[i]));
    fetch_loop_free(fetches->loop);
    fetch_loop_free(fetches->inside_loop);
    free(fetches);
}
