/* SPDX-License-Identifier: MIT */
/* gateway.c - see gateway.h. */
#include "worker/gateway.h"

#include "worker/conn.h"
#include "worker/http_reply.h"
#include "worker/http_state.h"
#include "worker/request.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void reply_json(struct conn *c, const struct http_parse *head, uint16_t status,
                       const char *lines, json_t *object)
{
    autofree char *text = object ? json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    const char *body = text ? text : "{}";

    json_decref(object);
    conn_reply_text(c, head, status, "application/json", lines, body, strlen(body));
}

static bool is_call(const struct http_parse *head, uint8_t method, const char *path)
{
    return head->method == method && head->path_bytes == strlen(path) &&
           memcmp(http_parse_target(head).data, path, head->path_bytes) == 0;
}

/* ---- failures ---- */

static const char *reason(uint16_t status, const struct js_error *error)
{
    if (error)
        return error->message;
    switch (status) {
    case 504:
        return "the render took longer than render.timeout";
    case 503:
        return "too many renders wait";
    default:
        return reply_status_text(status);
    }
}

/* ISO 8601, as Date.prototype.toISOString() */
static json_t *now_text(void)
{
    uint64_t now_ms = wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm tm;
    char text[64];
    size_t used;

    (void)gmtime_r(&seconds, &tm);
    used = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(text + used, sizeof text - used, ".%03uZ", (unsigned)(now_ms % 1000));
    return json_string(text);
}

/* What the page object of the call has for it; null: nothing. */
static json_t *told(const json_t *page, const char *name)
{
    json_t *value = json_object_get(page, name);

    return json_is_string(value) ? json_incref(value) : json_null();
}

static json_t *inertia_failure(uint16_t status, const json_t *page, const struct js_error *error)
{
    json_t *object = json_pack("{s:s?, s:o, s:o, s:s?}", "error", reason(status, error),
                               "component", told(page, "component"), "url", told(page, "url"),
                               "stack", error ? error->stack : "");
    char where[512];

    if (!object)
        return NULL;
    if (error && error->line > 0) {
        (void)snprintf(where, sizeof where, "%s:%u:%u", error->file, error->line, error->column);
        (void)json_object_set_new(object, "sourceLocation", json_string(where));
    }
    (void)json_object_set_new(object, "timestamp", now_text());
    (void)json_object_set_new(object, "type", json_string("render"));
    (void)json_object_set_new(object, "hint", json_string(error ? error->hint : ""));
    return object;
}

/* As Hypernova's errorToSerializable() does it: what clients join again by the same four spaces. */
static json_t *stack_lines(const char *stack)
{
    json_t *lines = json_array();

    for (;;) {
        const char *end = strstr(stack, "\n    ");

        if (!end)
            break;
        (void)json_array_append_new(lines, json_stringn(stack, (size_t)(end - stack)));
        stack = end + 5;
    }
    (void)json_array_append_new(lines, json_string(stack));
    return lines;
}

static json_t *hypernova_error(uint16_t status, const struct js_error *error)
{
    return json_pack("{s:s, s:s?, s:o}", "name", "Error", "message", reason(status, error), "stack",
                     stack_lines(error && error->stack ? error->stack : ""));
}

/* Each job of the batch has failed. Clients (hypernova-ruby does) look at the results alone, whatever status and success say,
 * and put what the browser renders anew where a job has no HTML: for a job that is missing they would put nothing. */
static json_t *hypernova_failure(uint16_t status, const json_t *batch, const struct js_error *error)
{
    json_t *jobs = (json_t *)batch; /* jansson's iteration is not const */
    json_t *results = json_object();
    const char *token;
    json_t *job;

    json_object_foreach(jobs, token, job)
    {
        (void)json_object_set_new(results, token,
                                  json_pack("{s:o, s:n, s:{}, s:n, s:i, s:b, s:o}", "name",
                                            told(job, "name"), "html", "meta", "duration",
                                            "statusCode", 500, "success", 0, "error",
                                            hypernova_error(status, error)));
    }
    return json_pack("{s:b, s:o, s:o}", "success", 0, "error", hypernova_error(status, error),
                     "results", results);
}

void gateway_failure(struct conn *c, const struct http_parse *head, uint16_t status, const char *id,
                     struct span data, const struct js_error *error)
{
    json_t *call = data.bytes > 0 ? json_loadb(data.data, data.bytes, 0, NULL) : NULL;
    char lines[96] = "";

    if (*id)
        (void)snprintf(lines, sizeof lines, "%sX-Request-Id: %s\r\n",
                       status == 503 ? "Retry-After: 1\r\n" : "", id);
    reply_json(c, head, 500, lines,
               c->kind == LISTENER_INERTIA ? inertia_failure(status, call, error)
                                           : hypernova_failure(status, call, error));
    json_decref(call);
}

/* ---- calls ---- */

static bool is_target(const char *url, size_t bytes)
{
    if (bytes == 0 || bytes > HTTP_TARGET_BYTES_MAX || *url != '/')
        return false;
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)url[i] <= ' ' || (unsigned char)url[i] >= 0x7f || url[i] == '#')
            return false;
    return true;
}

/* The request that the call stands for: GET of the page's own URL, where it has one. False: the body
 * is no JSON object. */
static bool write_head(struct span body, char *out, size_t cap, size_t *ret_bytes)
{
    json_t *object = json_loadb(body.data ? body.data : "", body.bytes, 0, NULL);
    const json_t *url = json_object_get(object, "url");
    bool is_object = json_is_object(object);
    bool has_url =
        json_is_string(url) && is_target(json_string_value(url), json_string_length(url));
    int n = snprintf(out, cap, "GET %s HTTP/1.1\r\nhost: localhost\r\naccept: text/html\r\n\r\n",
                     has_url ? json_string_value(url) : "/");

    json_decref(object);
    *ret_bytes = (size_t)n;
    return is_object && n > 0 && (size_t)n < cap;
}

static void render(struct conn *c, const struct http_parse *head, struct span body)
{
    const struct http_limits limits = {HTTP_TEXT_BYTES, 0};
    static const struct js_error no_json = {.message = (char *)"the body is no JSON object",
                                            .stack = (char *)"",
                                            .file = (char *)"",
                                            .hint = (char *)""};
    struct request_ask ask = {
        .data = body, .call = c->kind == LISTENER_INERTIA ? JS_CALL_INERTIA : JS_CALL_HYPERNOVA};
    char text[HTTP_TARGET_BYTES_MAX + 128];
    struct http_parse parse;
    size_t bytes;

    if (!write_head(body, text, sizeof text, &bytes)) {
        gateway_failure(c, head, 500, "", (struct span){0}, &no_json);
        return;
    }
    http_parse_init(&parse, &limits);
    if (http_parse_head(&parse, text, bytes) != HTTP_WHOLE) {
        gateway_failure(c, head, 500, "", (struct span){0}, &no_json);
        return;
    }
    request_render(c, head, &parse, &ask);
}

static json_t *status_object(const char *status)
{
    return json_pack("{s:s, s:I}", "status", status, "timestamp", (json_int_t)wall_ms());
}

void gateway_request(struct conn *c, const struct http_parse *head, struct span body)
{
    bool is_inertia = c->kind == LISTENER_INERTIA;

    if (http_parse_find(head, "origin", 6, 0) >= 0) /* no page of the web has business here */
        conn_reply_text(c, head, 403, NULL, "", "403 Forbidden: not for browsers\n", 32);
    else if (is_call(head, HTTP_POST, is_inertia ? "/render" : "/batch"))
        render(c, head, body);
    else if (is_inertia)
        reply_json(c, head, 200, "",
                   status_object(is_call(head, HTTP_GET, "/health") ? "OK" : "NOT_FOUND"));
    else
        conn_reply_text(c, head, 404, NULL, "", "404 Not Found: POST /batch\n", 27);
}
