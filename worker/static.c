/* SPDX-License-Identifier: MIT */
/*
 * static.c - see static.h.
 *
 * A small file stands in the hot cache as a page of the key "\2", folder, name, which no page of a
 * bundle has (theirs begin with a host). Of struct page its fields mean here:
 *   path_hash       the stamp of the file (static_root.h)
 *   stored_ms       when it was modified, Unix time, in whole seconds
 *   fresh_until_ms  when to look at the file again
 *   variant.head    the fields without status line and Content-Length
 */
#include "worker/static.h"

#include "shm/log.h"
#include "worker/condition.h"
#include "worker/conn.h"
#include "worker/conn_out.h"
#include "worker/encode.h"
#include "worker/http_date.h"
#include "worker/http_range.h"
#include "worker/http_state.h"
#include "worker/key.h"
#include "worker/mime.h"
#include "worker/static_kept.h"
#include "worker/static_path.h"
#include "worker/static_root.h"

#include <errno.h>
#include <mimalloc.h>
#include <stdio.h>
#include <string.h>

#define STATIC_HOT_BYTES                                                                           \
    OUT_COPY_BYTES /* what is copied beside its head; larger ones are sent from the file: perf/README.md, "Files" */
#define STATIC_HOT_ALL_BYTES (64 * KIB) /* with all encodings */
#define STATIC_ETAG_BYTES 18u           /* 16 hex digits, quoted */
#define STATIC_404_BYTES (256 * KIB)
#define STATIC_FRESH_MS 1000u
#define STATIC_FIELDS_BYTES 4096u
#define STATIC_ABSENT 1024u /* names known not to be there, for folders below which pages lie too */

struct absent {
    uint64_t hash;
    uint64_t until_ms;
};

struct statics {
    struct http *http;
    struct mime *mime;
    struct static_kept *kept; /* large files */
    struct static_root *root;
    size_t root_count;
    uint64_t complained_ms;
    struct absent absent[STATIC_ABSENT];
    char key[2 + STATIC_PATH_BYTES_MAX];
};

/* A file in one encoding, ready to be sent. */
struct view {
    struct span fields;
    struct span etag;
    uint64_t modified_s;
    uint64_t bytes;
    struct hot_page *hot; /* data lies in it */
    const char *data;
    struct out_file *file; /* or in this */
};

/* ---- life ---- */

int statics_new(struct http *http, struct statics **ret_statics)
{
    const struct config *config = http->config;
    struct statics *s;

    *ret_statics = NULL;
    if (config->statics.count == 0)
        return 0;
    s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->http = http;
    s->mime = mime_new(MIME_SYSTEM_FILE);
    s->kept = static_kept_new();
    s->root = calloc(config->statics.count, sizeof s->root[0]);
    if (!s->mime || !s->kept || !s->root) {
        statics_free(s);
        return -ENOMEM;
    }
    for (; s->root_count < config->statics.count; s->root_count++)
        static_root_init(&s->root[s->root_count], &config->statics.item[s->root_count]);
    *ret_statics = s;
    return 0;
}

void statics_free(struct statics *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->root_count; i++)
        static_root_done(&s->root[i]);
    free(s->root);
    static_kept_free(s->kept);
    mime_free(s->mime);
    free(s);
}

void statics_tick(struct statics *s)
{
    if (s)
        static_kept_sweep(s->kept, s->http->now_ms);
}

/* ---- head fields ---- */

/* As browsers may keep it. Without max_age they ask each time, and get a 304. */
static void add_cache_control(struct reply_text *t, const struct config_static *config)
{
    reply_add_literal(t, "Cache-Control: public, max-age=");
    reply_add_int(t, (int64_t)(config->max_age_ms / 1000));
    if (config->is_immutable)
        reply_add_literal(t, ", immutable");
    else if (config->max_age_ms == 0)
        reply_add_literal(t, ", must-revalidate");
    reply_add_literal(t, "\r\n");
}

static void make_etag(uint64_t stamp, enum page_encoding encoding,
                      char ret_etag[static STATIC_ETAG_BYTES + 1])
{
    /* one per encoding: the bytes differ (RFC 9110 section 8.8.3.3) */
    (void)snprintf(ret_etag, STATIC_ETAG_BYTES + 1, "\"%016llx\"",
                   (unsigned long long)(stamp ^ (0x9e3779b97f4a7c15u * (uint64_t)encoding)));
}

/* All but status line, Content-Length and what each answer adds. False: too long. */
static bool make_fields(struct statics *s, const struct static_root *root, const char *name,
                        const struct static_file *file, enum page_encoding encoding,
                        const char *etag, struct reply_text *t)
{
    const struct name_value_list *headers = &s->http->config->policy.headers;
    char date[HTTP_DATE_BYTES + 1];
    bool has_others = false;

    for (int i = 1; i < PAGE_ENCODINGS; i++)
        has_others = has_others || file->part[i].fd >= 0;
    http_date_format(file->modified_s, date);
    reply_add_literal(t, "Content-Type: ");
    reply_add_str(t, mime_type(s->mime, name));
    if (encoding != PAGE_IDENTITY) {
        reply_add_literal(t, "\r\nContent-Encoding: ");
        reply_add_str(t, page_encoding_name(encoding));
    }
    reply_add_literal(t, "\r\nETag: ");
    reply_add_str(t, etag);
    reply_add_literal(t, "\r\nLast-Modified: ");
    reply_add_str(t, date);
    reply_add_literal(t, "\r\nAccept-Ranges: bytes\r\n");
    if (has_others)
        reply_add_literal(t, "Vary: Accept-Encoding\r\n");
    add_cache_control(t, root->config);
    for (size_t i = 0; i < headers->count; i++) {
        reply_add_str(t, headers->item[i].name);
        reply_add_literal(t, ": ");
        reply_add_str(t, headers->item[i].value);
        reply_add_literal(t, "\r\n");
    }
    return !t->overflow;
}

/* ---- conditions ---- */

static int find(const struct http_parse *head, const char *name)
{
    return http_parse_find(head, name, strlen(name), 0);
}

static void send_view(struct conn *c, const struct http_parse *head, const struct view *view)
{
    static const uint16_t statuses[] = {
        [CONDITION_SEND] = 200, [CONDITION_NOT_MODIFIED] = 304, [CONDITION_FAILED] = 412};
    struct condition_page page = {view->etag, true, view->modified_s};
    uint64_t now_s = head->conditions ? wall_ms() / 1000 : 0;
    struct reply_file reply = {.status = statuses[condition_judge(head, &page, now_s)],
                               .fields = view->fields,
                               .bytes = view->bytes,
                               .total = view->bytes,
                               .hot = view->hot,
                               .data = view->data,
                               .file = view->file};
    int range = find(head, "range");

    if (reply.status == 200 && range >= 0 && head->method == HTTP_GET &&
        http_parse_find(head, "range", 5, range + 1) < 0 && condition_range(head, &page, now_s)) {
        switch (http_range_parse(http_parse_value(head, range), view->bytes, &reply.first,
                                 &reply.bytes)) {
        case HTTP_RANGE_WHOLE:
            break;
        case HTTP_RANGE_PART:
            reply.status = 206;
            break;
        case HTTP_RANGE_UNSATISFIABLE:
            reply.status = 416;
            break;
        }
    }
    conn_reply_file(c, head, &reply);
}

/* ---- small files ---- */

static void send_hot(struct statics *s, struct conn *c, const struct http_parse *head,
                     struct hot_page *hot)
{
    const struct page *page = &hot->page;
    const struct page_variant *v =
        page_variant(page, encoder_best(s->http->encoder, head, page->encodings));

    send_view(c, head,
              &(struct view){.fields = {page_at(page, v->head_offset), v->head_bytes},
                             .etag = {page_at(page, v->etag_offset), v->etag_bytes},
                             .modified_s = page->stored_ms / 1000,
                             .bytes = v->body_bytes,
                             .hot = hot,
                             .data = page_at(page, v->body_offset)});
}

/* The file as a page, read whole; the caller becomes holder. NULL: it can't be read, or memory
 * lacks. */
static struct hot_page *load(struct statics *s, const struct static_root *root, struct span key,
                             const struct static_file *file)
{
    struct page_source source = {.hash = key_hash(key.data, key.bytes),
                                 .path_hash = file->stamp,
                                 .stored_ms = file->modified_s * 1000,
                                 .status = 200,
                                 .key = key};
    char fields[PAGE_ENCODINGS][STATIC_FIELDS_BYTES];
    char etag[PAGE_ENCODINGS][STATIC_ETAG_BYTES + 1];
    autofree char *bodies = malloc(STATIC_HOT_ALL_BYTES);
    char *at = bodies;
    struct hot_page *hot;

    if (!bodies)
        return NULL;
    for (int i = 0; i < PAGE_ENCODINGS; i++) {
        struct reply_text text = {fields[i], 0, sizeof fields[i], false};

        if (file->part[i].fd < 0)
            continue;
        make_etag(file->stamp, (enum page_encoding)i, etag[i]);
        if (!make_fields(s, root, key.data + 2, file, (enum page_encoding)i, etag[i], &text) ||
            static_part_read(&file->part[i], at) != 0)
            return NULL;
        source.variant[i] = (struct page_variant_source){
            {fields[i], text.bytes}, {at, file->part[i].bytes}, {etag[i], strlen(etag[i])}};
        at += file->part[i].bytes;
    }
    hot = hot_alloc(s->http->hot, page_bytes(&source));
    if (hot)
        page_build(&source, &hot->page);
    return hot;
}

static bool is_small(const struct static_file *file)
{
    uint64_t bytes = 0;

    for (int i = 0; i < PAGE_ENCODINGS; i++)
        bytes += file->part[i].bytes;
    return file->part[PAGE_IDENTITY].bytes <= STATIC_HOT_BYTES && bytes <= STATIC_HOT_ALL_BYTES;
}

/* ---- large files ---- */

/* False, where it is looked at: its content has changed since it was opened, so that its entity tag is wrong, or it is no longer in
 * its place. */
static bool send_kept(struct statics *s, struct conn *c, const struct http_parse *head,
                      const struct kept_file *kept, bool look)
{
    const struct kept_part *part;
    unsigned mask = 0;

    for (int i = 0; i < PAGE_ENCODINGS; i++)
        mask |= kept->part[i].file ? 1u << i : 0;
    part = &kept->part[encoder_best(s->http->encoder, head, mask)];
    if (look && !static_part_is_same(&part->part))
        return false;
    send_view(c, head,
              &(struct view){.fields = part->fields,
                             .etag = part->etag,
                             .modified_s = kept->modified_s,
                             .bytes = part->part.bytes,
                             .file = part->file});
    return true;
}

static void send_large(struct statics *s, struct conn *c, const struct http_parse *head,
                       const struct static_root *root, struct span key, struct static_file *file)
{
    char text[PAGE_ENCODINGS][STATIC_FIELDS_BYTES];
    char tag[PAGE_ENCODINGS][STATIC_ETAG_BYTES + 1];
    struct span fields[PAGE_ENCODINGS], etag[PAGE_ENCODINGS];
    struct kept_file *kept = NULL;
    bool ok = true;

    for (int i = 0; i < PAGE_ENCODINGS && ok; i++) {
        struct reply_text t = {text[i], 0, sizeof text[i], false};

        if (file->part[i].fd < 0)
            continue;
        make_etag(file->stamp, (enum page_encoding)i, tag[i]);
        ok = make_fields(s, root, key.data + 2, file, (enum page_encoding)i, tag[i], &t);
        fields[i] = (struct span){text[i], t.bytes};
        etag[i] = (struct span){tag[i], strlen(tag[i])};
    }
    if (ok)
        kept = static_kept_add(s->kept, key, key_hash(key.data, key.bytes), file, fields, etag,
                               s->http->now_ms);
    if (kept)
        kept->fresh_until_ms = s->http->now_ms + STATIC_FRESH_MS;
    if (!kept)
        conn_reply_text(c, head, 503, NULL, "Retry-After: 1\r\n", "503 Service Unavailable\n", 24);
    else
        (void)send_kept(s, c, head, kept, false);
}

/* ---- one request ---- */

/* What can't be served for another reason than not being there; said once a second. */
static void complain(struct statics *s, const struct static_root *root, const char *name, int error)
{
    if (s->http->now_ms < s->complained_ms + 1000)
        return;
    s->complained_ms = s->http->now_ms;
    log_error("a static file can't be served", log_str("root", root->config->root),
              log_str("file", name), log_str("error", strerror(-error)));
}

static void redirect_to_folder(struct conn *c, const struct http_parse *head)
{
    struct span target = http_parse_target(head);
    char lines[HTTP_TARGET_BYTES_MAX + 32];

    (void)snprintf(lines, sizeof lines, "Location: %.*s/%.*s\r\n", (int)head->path_bytes,
                   target.data, (int)(target.bytes - head->path_bytes),
                   target.data + head->path_bytes);
    conn_reply_text(c, head, 301, NULL, lines, "", 0);
}

/* 0: answered / -ENOENT: no such file / -EISDIR: a folder without / at its end. */
static int serve(struct statics *s, struct conn *c, const struct http_parse *head, size_t at,
                 const char *name)
{
    struct static_root *root = &s->root[at];
    struct http *http = s->http;
    size_t name_bytes = strlen(name);
    struct span key = {s->key, 2 + name_bytes};
    struct static_file file;
    struct kept_file *kept;
    struct hot_page *hot;
    uint64_t hash;
    int error;

    s->key[0] = '\2';
    s->key[1] = (char)at;
    memcpy(s->key + 2, name, name_bytes + 1);
    hash = key_hash(key.data, key.bytes);
    hot = hot_get(http->hot, key.data, key.bytes, hash);
    if (hot && http->now_ms < hot->page.fresh_until_ms) {
        send_hot(s, c, head, hot);
        return 0;
    }
    kept = hot ? NULL : static_kept_find(s->kept, key, hash, http->now_ms);
    if (kept && http->now_ms < kept->fresh_until_ms && send_kept(s, c, head, kept, true))
        return 0;
    error = static_root_open(root, name, http->now_ms, &file);
    if (kept && (error || kept->stamp != file.stamp)) {
        static_kept_drop(s->kept, kept);
        kept = NULL;
    }
    if (error) {
        if (hot)
            hot_remove(http->hot, hot);
        if (error == -ENOENT || error == -EISDIR)
            return error;
        complain(s, root, name, error);
        if (error == -EACCES)
            conn_reply_text(c, head, 403, NULL, "", "403 Forbidden\n", 14);
        else
            conn_reply_text(c, head, 503, NULL, "Retry-After: 1\r\n", "503 Service Unavailable\n",
                            24);
        return 0;
    }
    if (kept) {
        kept->fresh_until_ms = http->now_ms + STATIC_FRESH_MS;
        (void)send_kept(s, c, head, kept, false); /* it was looked at just now */
        static_file_done(&file);
        return 0;
    }
    if (hot && hot->page.path_hash == file.stamp) {
        (void)hot_hold(hot);
    } else {
        if (hot) /* what has grown large has no place there, and would be looked for in vain */
            hot_remove(http->hot, hot);
        hot = is_small(&file) ? load(s, root, key, &file) : NULL;
    }
    if (hot) {
        hot->page.fresh_until_ms = http->now_ms + STATIC_FRESH_MS;
        if (!hot->cached)
            hot_put(http->hot, hot);
        send_hot(s, c, head, hot);
        hot_release(hot);
    } else {
        send_large(s, c, head, root, key, &file);
    }
    static_file_done(&file);
    return 0;
}

/* A folder's own name ends in /: its index answers, if there is one. */
static int serve_folder(struct statics *s, struct conn *c, const struct http_parse *head, size_t at,
                        char name[static STATIC_PATH_BYTES_MAX])
{
    const char *index = s->root[at].config->index;
    size_t bytes = strlen(name);

    if (index[0] == '\0' || bytes + strlen(index) >= STATIC_PATH_BYTES_MAX)
        return -ENOENT;
    memcpy(name + bytes, index, strlen(index) + 1);
    return serve(s, c, head, at, name) == 0 ? 0 : -ENOENT;
}

/* Whoever asks for a folder without / at its end is sent there, if there is something to see. */
static int serve_name(struct statics *s, struct conn *c, const struct http_parse *head, size_t at,
                      char name[static STATIC_PATH_BYTES_MAX])
{
    struct static_file file;
    size_t bytes = strlen(name);
    int error;

    if (bytes == 0 || name[bytes - 1] == '/')
        return serve_folder(s, c, head, at, name);
    error = serve(s, c, head, at, name);
    if (error != -EISDIR)
        return error;
    if (s->root[at].config->index[0] == '\0' ||
        bytes + 1 + strlen(s->root[at].config->index) >= STATIC_PATH_BYTES_MAX)
        return -ENOENT;
    name[bytes] = '/';
    memcpy(name + bytes + 1, s->root[at].config->index, strlen(s->root[at].config->index) + 1);
    if (static_root_open(&s->root[at], name, s->http->now_ms, &file) != 0)
        return -ENOENT;
    static_file_done(&file);
    redirect_to_folder(c, head);
    return 0;
}

/* 404 with the folder's own page, where it has one. */
static void not_found(struct statics *s, struct conn *c, const struct http_parse *head, size_t at)
{
    struct static_file file;
    char *body = NULL;
    bool ok = static_root_open(&s->root[at], "404.html", s->http->now_ms, &file) == 0;
    uint64_t bytes = ok ? file.part[PAGE_IDENTITY].bytes : 0;

    if (ok && bytes <= STATIC_404_BYTES)
        body = mi_malloc(bytes + 1);
    if (body && static_part_read(&file.part[PAGE_IDENTITY], body) == 0)
        conn_reply_text(c, head, 404, "text/html; charset=utf-8", "", body, bytes);
    else
        conn_reply_text(c, head, 404, NULL, "", "404 Not Found\n", 14);
    mi_free(body);
    if (ok)
        static_file_done(&file);
}

static struct absent *absent_of(struct statics *s, size_t at, const char *name, uint64_t *ret_hash)
{
    *ret_hash = key_hash(name, strlen(name)) + at + 1;
    return &s->absent[*ret_hash % STATIC_ABSENT];
}

bool statics_answer(struct statics *s, struct conn *c, const struct http_parse *head)
{
    const char *path = http_parse_target(head).data;
    char name[STATIC_PATH_BYTES_MAX];

    for (size_t i = 0; i < s->root_count; i++) {
        const char *prefix = s->root[i].config->prefix;
        /* below / lie the bundle's pages too: what is no file is theirs */
        bool is_shared = prefix[1] == '\0';
        int bytes = static_path(path, head->path_bytes, prefix, name);
        struct absent *absent;
        uint64_t hash;

        if (bytes == -ENOENT)
            continue;
        if (head->method != HTTP_GET && head->method != HTTP_HEAD) {
            if (is_shared)
                continue;
            conn_reply_text(c, head, 405, NULL, "Allow: GET, HEAD\r\n", "405 Method Not Allowed\n",
                            23);
            return true;
        }
        absent = absent_of(s, i, name, &hash);
        if (bytes >= 0 && (absent->hash != hash || s->http->now_ms >= absent->until_ms)) {
            if (serve_name(s, c, head, i, name) == 0)
                return true;
            *absent = (struct absent){hash, s->http->now_ms + STATIC_FRESH_MS};
        }
        if (is_shared)
            continue;
        not_found(s, c, head, i);
        return true;
    }
    return false;
}
