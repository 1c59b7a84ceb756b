/* SPDX-License-Identifier: MIT */
/* request_json.c - see request_json.h. */
#include "worker/request_json.h"

#include "worker/conn.h"
#include "worker/http_reply.h"
#include "worker/http_state.h"
#include "worker/nonce.h"
#include "worker/worker.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void reply_json(struct conn *c, const struct http_parse *head, uint16_t status,
                       const char *type, const char *lines, json_t *object)
{
    autofree char *text = object ? json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

    json_decref(object);
    if (text)
        conn_reply_text(c, head, status, type, lines, text, strlen(text));
    else
        conn_reply_text(c, head, 500, NULL, lines,
                        "500 Internal Server Error: the page is not UTF-8\n", 49);
}

/* Takes value. False: not UTF-8, or out of memory. */
static bool set_or_append(json_t *object, const char *name, json_t *value)
{
    json_t *old = json_object_get(object, name);
    json_t *list;

    if (!old)
        return json_object_set_new(object, name, value) == 0;
    if (json_is_array(old))
        return json_array_append_new(old, value) == 0;
    list = json_pack("[Oo]", old, value);
    return json_object_set_new(object, name, list) == 0;
}

/* "name: value" CRLF, names to lower case */
static bool add_line(json_t *object, const char *at, const char *end)
{
    const char *colon = memchr(at, ':', (size_t)(end - at));
    char name[128];
    size_t bytes;

    if (!colon || (size_t)(colon - at) >= sizeof name)
        return true;
    bytes = (size_t)(colon - at);
    for (size_t i = 0; i < bytes; i++)
        name[i] = (char)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] | 0x20 : at[i]);
    name[bytes] = 0;
    colon += colon + 1 < end && colon[1] == ' ' ? 2 : 1;
    return set_or_append(object, name, json_stringn(colon, (size_t)(end - colon)));
}

static json_t *headers_of(const char *head, size_t head_bytes)
{
    json_t *object = json_object();
    const char *end = head + head_bytes;
    const char *at = memchr(head, '\n', head_bytes); /* the status line goes */

    for (at = at ? at + 1 : end; object && at < end;) {
        const char *line_end = memchr(at, '\r', (size_t)(end - at));

        if (!line_end)
            break;
        if (!add_line(object, at, line_end)) {
            json_decref(object);
            return NULL;
        }
        at = line_end + 2;
    }
    return object;
}

/* Head and body, with a nonce where the page has marks for one. */
static bool fill(const struct conn *c, const struct page *page, const struct page_variant *v,
                 char *text)
{
    char nonce[HERITAGE_NONCE_BYTES];

    memcpy(text, page_at(page, v->head_offset), v->head_bytes);
    memcpy(text + v->head_bytes, page_at(page, v->body_offset), v->body_bytes);
    if (!(page->flags & PAGE_NONCE))
        return true;
    if (!nonce_draw(nonce))
        return false;
    nonce_put(text, v->head_bytes + (size_t)v->body_bytes, c->http->worker->heritage->nonce_mark,
              nonce);
    return true;
}

void request_reply_json(struct conn *c, const struct http_parse *head, const struct hot_page *hot,
                        const char *id)
{
    const struct page *page = &hot->page;
    const struct page_variant *v = page_variant(page, PAGE_IDENTITY);
    size_t bytes = v->head_bytes + (size_t)v->body_bytes;
    autofree char *text = malloc(bytes + 1);
    json_t *headers = NULL, *html = NULL, *object = NULL;
    char lines[64] = "";

    if (*id)
        (void)snprintf(lines, sizeof lines, "X-Request-Id: %s\r\n", id);
    if (text && fill(c, page, v, text)) {
        headers = headers_of(text, v->head_bytes);
        html = json_stringn(text + v->head_bytes, v->body_bytes);
    }
    if (headers && html)
        object = json_pack("{s:i, s:O, s:O}", "status", (int)page->status, "headers", headers,
                           "html", html);
    json_decref(headers);
    json_decref(html);
    reply_json(c, head, 200, "application/json", lines, object);
}

static void set_text(json_t *object, const char *name, const char *text)
{
    if (*text)
        (void)json_object_set_new(object, name, json_string(text)); /* not UTF-8: left out */
}

void request_reply_problem(struct conn *c, const struct http_parse *head, uint16_t status,
                           const char *id, const struct js_error *error)
{
    json_t *object = json_pack("{s:s, s:s, s:i}", "type", "about:blank", "title",
                               reply_status_text(status), "status", (int)status);
    char lines[96];

    if (object)
        set_text(object, "requestId", id);
    if (object && error) {
        set_text(object, "detail", error->message);
        set_text(object, "file", error->file);
        (void)json_object_set_new(object, "line", json_integer(error->line));
        (void)json_object_set_new(object, "column", json_integer(error->column));
        set_text(object, "stack", error->stack);
        set_text(object, "hint", error->hint);
    }
    (void)snprintf(lines, sizeof lines, "%sX-Request-Id: %s\r\n",
                   status == 503 ? "Retry-After: 1\r\n" : "", id);
    reply_json(c, head, status, "application/problem+json", lines, object);
}

void request_reply_complaint(struct conn *c, const struct http_parse *head, uint16_t status,
                             const char *detail)
{
    json_t *object = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title",
                               reply_status_text(status), "status", (int)status, "detail", detail);

    reply_json(c, head, status, "application/problem+json", "", object);
}
