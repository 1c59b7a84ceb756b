/* SPDX-License-Identifier: MIT */
/*
 * admin.c - see admin.h. What it reads comes from the tables in shared memory, so any worker
 * answers for all. A browser must not be turned against it: a POST that says where it came from
 * (Origin) is refused, since no page of the web has business here.
 */
#include "worker/admin.h"

#include "shm/keypath.h"
#include "shm/purge.h"
#include "shm/region.h"
#include "shm/report.h"
#include "shm/stats.h"
#include "worker/conn.h"
#include "worker/http_state.h"
#include "worker/js.h"
#include "worker/request.h"
#include "worker/request_json.h"
#include "worker/worker.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef void admin_call(struct conn *conn, const struct http_parse *head, struct span body);

static void reply(struct conn *c, const struct http_parse *head, uint16_t status, const char *text)
{
    conn_reply_text(c, head, status, NULL, "", text, strlen(text));
}

/* text: owned, NULL: out of memory */
static void reply_report(struct conn *c, const struct http_parse *head, const char *type,
                         char *text)
{
    if (text)
        conn_reply_text(c, head, 200, type, "", text, strlen(text));
    else
        reply(c, head, 503, "out of memory\n");
    free(text);
}

static void get_metrics(struct conn *c, const struct http_parse *head, struct span body)
{
    struct worker *w = c->http->worker;

    (void)body;
    reply_report(c, head, "text/plain; version=0.0.4; charset=utf-8",
                 report_metrics(c->http->region, w->cold, js_v8_version()));
}

static void get_status(struct conn *c, const struct http_parse *head, struct span body)
{
    struct worker *w = c->http->worker;

    (void)body;
    reply_report(c, head, "application/json",
                 report_status(c->http->region, w->cold, js_v8_version()));
}

static void get_healthz(struct conn *c, const struct http_parse *head, struct span body)
{
    (void)body;
    reply(c, head, 200, "ok\n");
}

static void get_readyz(struct conn *c, const struct http_parse *head, struct span body)
{
    const struct stats_master *m = stats_master(c->http->region);

    (void)body;
    if (atomic_load_explicit(&m->generation, memory_order_relaxed) > 0)
        reply(c, head, 200, "ready\n");
    else
        reply(c, head, 503, "no generation serves yet\n");
}

static void post_reload(struct conn *c, const struct http_parse *head, struct span body)
{
    static const uint64_t one = 1;

    (void)body;
    region_ask_reload(c->http->worker->heritage->region);
    (void)!write(c->http->worker->heritage->master_wake_fd, &one, sizeof one);
    reply(c, head, 202, "reload asked for; /status and the log say how it ended\n");
}

/* ---- purge ---- */

/* path and query of what may be a whole URL */
static struct span strip_origin(struct span url)
{
    const char *slash;

    if (url.bytes < 8 ||
        (strncasecmp(url.data, "http://", 7) != 0 && strncasecmp(url.data, "https://", 8) != 0))
        return url;
    slash = memchr(url.data + 8, '/', url.bytes - 8);
    if (!slash)
        return (struct span){"/", 1};
    return (struct span){slash, url.bytes - (size_t)(slash - url.data)};
}

static const char *purge_one_url(struct http *http, struct span url)
{
    char path[HTTP_TARGET_BYTES_MAX];
    const struct config_policy *policy;
    const char *query;
    size_t bytes;

    url = strip_origin(url);
    if (url.bytes == 0 || *url.data != '/')
        return "a URL must begin with / or http://";
    query = memchr(url.data, '?', url.bytes);
    policy =
        config_policy_for(http->config, url.data, query ? (size_t)(query - url.data) : url.bytes);
    if (keypath_normalise(&policy->key, url.data, url.bytes, path, sizeof path, &bytes) != 0)
        return "a URL is too long";
    purge_url(http->worker->purge, path, bytes);
    return NULL;
}

static const char *purge_one_prefix(struct http *http, struct span prefix)
{
    prefix = strip_origin(prefix);
    if (prefix.bytes == 0 || *prefix.data != '/')
        return "a prefix must begin with / or http://";
    return purge_prefix(http->worker->purge, prefix.data, prefix.bytes) == 0
               ? NULL
               : "a prefix is too long";
}

static const char *purge_one_tag(struct http *http, struct span tag)
{
    if (tag.bytes == 0)
        return "a tag is empty";
    purge_tag(http->worker->purge, tag.data, tag.bytes);
    return NULL;
}

struct purge_kind {
    const char *name;
    const char *(*call)(struct http *http, struct span text);
};

/* NULL, or what is wrong. */
static const char *purge_list(struct http *http, const json_t *list, const struct purge_kind *kind,
                              size_t *count)
{
    size_t i;
    json_t *item;

    if (!list)
        return NULL;
    if (!json_is_array(list))
        return "urls, prefixes and tags are lists of strings";
    json_array_foreach(list, i, item)
    {
        const char *problem;

        if (!json_is_string(item))
            return "urls, prefixes and tags are lists of strings";
        problem =
            kind->call(http, (struct span){json_string_value(item), json_string_length(item)});
        if (problem)
            return problem;
        ++*count;
    }
    return NULL;
}

static const char *purge_all_kinds(struct http *http, json_t *object, size_t *count)
{
    static const struct purge_kind kinds[] = {
        {"urls", purge_one_url}, {"prefixes", purge_one_prefix}, {"tags", purge_one_tag}};
    const json_t *all = json_object_get(object, "all");

    if (!json_is_object(object))
        return "the body must be a JSON object";
    for (size_t i = 0; i < array_len(kinds); i++) {
        const char *problem =
            purge_list(http, json_object_get(object, kinds[i].name), &kinds[i], count);

        if (problem)
            return problem;
    }
    if (all && !json_is_boolean(all))
        return "all is true or false";
    if (json_is_true(all)) {
        purge_all(http->worker->purge);
        ++*count;
    }
    return *count > 0 ? NULL : "nothing to purge: give urls, prefixes, tags or all";
}

static void post_purge(struct conn *c, const struct http_parse *head, struct span body)
{
    json_t *object =
        json_loadb(body.data ? body.data : "", body.bytes, JSON_REJECT_DUPLICATES, NULL);
    size_t count = 0;
    const char *problem = purge_all_kinds(c->http, object, &count);
    char text[64];
    int n;

    json_decref(object);
    if (problem) {
        request_reply_complaint(c, head, 400, problem);
        return;
    }
    n = snprintf(text, sizeof text, "{\"ok\":true,\"purges\":%zu}\n", count);
    conn_reply_text(c, head, 200, "application/json", "", text, (size_t)n);
}

/* ---- render ---- */

struct text {
    char *data;
    size_t bytes;
    size_t cap_bytes;
    bool failed;
};

static void add(struct text *t, const char *data, size_t bytes)
{
    if (t->failed || bytes > t->cap_bytes - t->bytes) {
        t->failed = true;
        return;
    }
    memcpy(t->data + t->bytes, data, bytes);
    t->bytes += bytes;
}

/* Fields that frame a message or steer a connection are not the back end's to give. */
static bool is_framing(const char *name)
{
    static const char *const names[] = {
        "host",   "connection", "content-length", "transfer-encoding",
        "expect", "upgrade",    "if-none-match",  "te"};

    for (size_t i = 0; i < array_len(names); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool has_control(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return true;
    return false;
}

static void add_field(struct text *t, const char *name, const json_t *value)
{
    const char *text = json_string_value(value);

    if (!text || has_control(text, json_string_length(value)) || has_control(name, strlen(name))) {
        t->failed = true;
        return;
    }
    add(t, name, strlen(name));
    add(t, ": ", 2);
    add(t, text, json_string_length(value));
    add(t, "\r\n", 2);
}

/* The request that the back end stands for, as text: the parser then judges it as any other. */
static bool write_head(struct text *t, json_t *object, const char **ret_problem)
{
    const json_t *url = json_object_get(object, "url");
    const json_t *method = json_object_get(object, "method");
    json_t *headers = json_object_get(object, "headers");
    const json_t *host = NULL;
    const char *name;
    json_t *value;

    *ret_problem = "url is missing: path and query, or a whole URL";
    if (!json_is_string(url) || json_string_length(url) == 0 ||
        has_control(json_string_value(url), json_string_length(url)))
        return false;
    *ret_problem = "method is a string";
    if (method && !json_is_string(method))
        return false;
    *ret_problem = "headers is an object of strings, without control characters";
    if (headers && !json_is_object(headers))
        return false;
    add(t, method ? json_string_value(method) : "GET", method ? json_string_length(method) : 3);
    add(t, " ", 1);
    add(t, json_string_value(url), json_string_length(url));
    add(t, " HTTP/1.1\r\n", 11);
    json_object_foreach(headers, name, value)
    {
        if (strcasecmp(name, "host") == 0)
            host = value;
        else if (!is_framing(name))
            add_field(t, name, value);
    }
    if (host)
        add_field(t, "host", host);
    else
        add(t, "host: localhost\r\n", 17);
    add(t, "\r\n", 2);
    return !t->failed;
}

static bool wants_json(const struct http_parse *head)
{
    int i = http_parse_find(head, "accept", 6, 0);
    struct span value;

    if (i < 0)
        return false;
    value = http_parse_value(head, i);
    return memmem(value.data, value.bytes, "application/json", 16) != NULL;
}

static const char *render_object(struct conn *c, const struct http_parse *head, json_t *object)
{
    const struct http_limits limits = {HTTP_TEXT_BYTES, 0};
    autofree char *buffer = malloc(HTTP_TEXT_BYTES);
    struct text text = {buffer, 0, HTTP_TEXT_BYTES, false};
    const json_t *data = json_object_get(object, "data");
    struct request_ask ask = {.as_json = wants_json(head)};
    autofree char *data_text = NULL;
    struct http_parse parse;
    const char *problem;

    if (!buffer)
        return "out of memory";
    if (!json_is_object(object))
        return "the body must be a JSON object";
    if (!write_head(&text, object, &problem))
        return problem;
    http_parse_init(&parse, &limits);
    switch (http_parse_head(&parse, text.data, text.bytes)) {
    case HTTP_WHOLE:
        break;
    case HTTP_MORE:
        return "the request is malformed";
    default:
        return parse.reason;
    }
    parse.https =
        strncasecmp(json_string_value(json_object_get(object, "url")), "https://", 8) == 0;
    if (data && !json_is_null(data)) {
        data_text = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
        if (!data_text)
            return "out of memory";
        ask.data = (struct span){data_text, strlen(data_text)};
    }
    ask.with_cache = json_is_true(json_object_get(object, "cache")) && parse.method == HTTP_GET;
    request_render(c, head, &parse, &ask);
    return NULL;
}

static void post_render(struct conn *c, const struct http_parse *head, struct span body)
{
    json_t *object = json_loadb(body.data ? body.data : "", body.bytes, JSON_ALLOW_NUL, NULL);
    const char *problem = render_object(c, head, object);

    json_decref(object);
    if (problem)
        request_reply_complaint(c, head, 400, problem);
}

/* ---- table ---- */

static const struct {
    const char *path;
    uint8_t method;
    admin_call *call;
} calls[] = {
    {"/metrics", HTTP_GET, get_metrics}, {"/healthz", HTTP_GET, get_healthz},
    {"/readyz", HTTP_GET, get_readyz},   {"/status", HTTP_GET, get_status},
    {"/purge", HTTP_POST, post_purge},   {"/reload", HTTP_POST, post_reload},
    {"/render", HTTP_POST, post_render},
};

void admin_request(struct conn *c, const struct http_parse *head, struct span body)
{
    struct span target = http_parse_target(head);

    for (size_t i = 0; i < array_len(calls); i++) {
        bool get = calls[i].method == HTTP_GET;

        if (strlen(calls[i].path) != head->path_bytes ||
            memcmp(calls[i].path, target.data, head->path_bytes) != 0)
            continue;
        if (head->method != calls[i].method && !(get && head->method == HTTP_HEAD)) {
            conn_reply_text(c, head, 405, NULL, get ? "Allow: GET, HEAD\r\n" : "Allow: POST\r\n",
                            "405 Method Not Allowed\n", 23);
            return;
        }
        if (!get && http_parse_find(head, "origin", 6, 0) >= 0) {
            reply(c, head, 403, "403 Forbidden: not for browsers\n");
            return;
        }
        calls[i].call(c, head, body);
        return;
    }
    reply(c, head, 404, "404 Not Found\n");
}
