/* SPDX-License-Identifier: MIT */
/*
 * control_command.c - the commands of the control socket. All of them end at once; those that take
 * time (reload, stop, drain) are the connection's. Leans on the tables in shared memory.
 */
#include "master/control_command.h"

#include "master/master.h"
#include "shm/cold.h"
#include "shm/hits.h"
#include "shm/keypath.h"
#include "shm/log.h"
#include "shm/purge.h"
#include "shm/region.h"
#include "shm/report.h"
#include "shm/utf8.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

/* The master never starts V8, so it knows the version that it was built with. */
#ifndef SSRD_V8_VERSION
#define SSRD_V8_VERSION ""
#endif
#ifndef SSRD_VERSION
#define SSRD_VERSION "unknown"
#endif

#define STOPPING "the server is stopping: no generation serves any more"
#define OUT_OF_MEMORY "{\"ok\":false,\"text\":\"out of memory\"}\n"

/* Takes json, which may be NULL: then, as when there is no memory, the answer says so. */
static void answer_json(struct evbuffer *out, json_t *json)
{
    autofree char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);

    json_decref(json);
    if (text == NULL) {
        (void)evbuffer_add(out, OUT_OF_MEMORY, sizeof OUT_OF_MEMORY - 1);
        return;
    }
    (void)evbuffer_add_printf(out, "%s\n", text);
}

/* Bytes as a JSON string; those that are not UTF-8 are written as \xNN. */
static json_t *bytes_json(const char *data, size_t bytes)
{
    json_t *json = json_stringn(data, bytes);
    autofree char *text = NULL;
    size_t n = 0, step;
    uint32_t code;

    if (json != NULL)
        return json;
    text = malloc(bytes * 4 + 1);
    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < bytes; i += step) {
        step = utf8_next(data + i, bytes - i, &code);
        if (step > 0) {
            memcpy(text + n, data + i, step);
            n += step;
        } else {
            n += (size_t)sprintf(text + n, "\\x%02x", (unsigned char)data[i]);
            step = 1;
        }
    }
    return json_stringn(text, n);
}

void control_answer(struct evbuffer *out, bool ok, const char *text)
{
    answer_json(out, json_pack("{s:b s:o}", "ok", ok, "text", bytes_json(text, strlen(text))));
}

/* {"ok":true,"NAME":REPORT}; takes report. */
static void answer_report(struct evbuffer *out, const char *name, char *report)
{
    if (report == NULL)
        (void)evbuffer_add(out, OUT_OF_MEMORY, sizeof OUT_OF_MEMORY - 1);
    else
        (void)evbuffer_add_printf(out, "{\"ok\":true,\"%s\":%s}\n", name, report);
    free(report);
}

/* purge */

/* The URL as it stands in keys, by the policy of its path. out: PAGE_KEY_BYTES_MAX bytes. */
static int normal_path(const struct config *config, const char *url, char *out, size_t *ret_bytes)
{
    struct span path;
    const char *query;

    if (control_url_path(url, &path) != 0)
        return -EINVAL;
    query = memchr(path.data, '?', path.bytes);
    return keypath_normalise(
        &config_policy_for(config, path.data,
                           query == NULL ? path.bytes : (size_t)(query - path.data))
             ->key,
        path.data, path.bytes, out, PAGE_KEY_BYTES_MAX, ret_bytes);
}

/* NULL: all can be purged; else what can't. Asked first, so that a purge is done whole or not at
 * all. */
static const char *purge_problem(const struct control_request *request)
{
    struct span path;

    for (size_t i = 0; i < json_array_size(request->urls); i++)
        if (control_url_path(json_string_value(json_array_get(request->urls, i)), &path) != 0 ||
            path.bytes > PAGE_KEY_BYTES_MAX)
            return "not a URL: write /path?query or http://host/path?query";
    if (json_array_size(request->prefixes) > CONTROL_PREFIXES_MAX)
        return "too many prefixes: 16 at most in one purge";
    for (size_t i = 0; i < json_array_size(request->prefixes); i++) {
        if (control_url_path(json_string_value(json_array_get(request->prefixes, i)), &path) != 0)
            return "not a prefix: write the beginning of a path, /blog/";
        if (path.bytes > PURGE_PREFIX_BYTES_MAX)
            return "prefix too long: 1000 bytes at most";
    }
    return NULL;
}

static int purge_lists(struct master *master, const struct control_request *request,
                       unsigned *evicted)
{
    struct purge *purge = purge_of(master_region(master));
    autofree char *normal = malloc(PAGE_KEY_BYTES_MAX);
    struct span path;
    size_t bytes;
    int rc = 0;

    if (normal == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < json_array_size(request->urls); i++) {
        rc = normal_path(master_config(master), json_string_value(json_array_get(request->urls, i)),
                         normal, &bytes);
        if (rc != 0)
            return rc;
        purge_url(purge, normal, bytes);
    }
    for (size_t i = 0; i < json_array_size(request->tags); i++) {
        const json_t *tag = json_array_get(request->tags, i);

        purge_tag(purge, json_string_value(tag), json_string_length(tag));
    }
    for (size_t i = 0; i < json_array_size(request->prefixes); i++) {
        rc = control_url_path(json_string_value(json_array_get(request->prefixes, i)), &path);
        if (rc == 0)
            rc = purge_prefix(purge, path.data, path.bytes);
        if (rc != 0)
            return rc;
        *evicted += cold_sweep_prefix(master_cold(master), path.data, path.bytes);
    }
    return 0;
}

static void run_purge(struct master *master, const struct control_request *request,
                      struct evbuffer *out)
{
    const char *problem = purge_problem(request);
    unsigned evicted = 0;
    char text[200];
    int rc;

    if (problem != NULL) {
        control_answer(out, false, problem);
        return;
    }
    if (master_config(master) == NULL) {
        control_answer(out, false, STOPPING);
        return;
    }
    if (request->all) {
        purge_all(purge_of(master_region(master)));
        evicted += cold_sweep_prefix(master_cold(master), "", 0);
    }
    rc = purge_lists(master, request, &evicted);
    if (rc != 0) {
        (void)snprintf(text, sizeof text, "purged in part: %s", strerror(-rc));
        control_answer(out, false, text);
        return;
    }
    if (request->all)
        (void)snprintf(text, sizeof text, "purged all");
    else
        (void)snprintf(text, sizeof text, "purged: URLs %zu, prefixes %zu, tags %zu",
                       json_array_size(request->urls), json_array_size(request->prefixes),
                       json_array_size(request->tags));
    control_answer(out, true, text);
}

/* cache-ls, cache-get */

struct walk {
    struct evbuffer *out;
    struct cold *cold;
    uint64_t now_ms; /* cold clock */
    const struct hits_now *hits;
    struct span path; /* ls: what paths begin with; get: what they are */
    bool truncated;
    size_t entries;
    struct key {
        char *data;
        size_t bytes;
        uint64_t hash;
        struct cold_seen seen;
    } key[32]; /* get: those found; a path has one for each host and each varying header */
};

static double seconds_between(uint64_t from_ms, uint64_t to_ms)
{
    return ((double)to_ms - (double)from_ms) / 1000.0;
}

/* Are key, path and tags inside what was copied, and the path inside the key? Foreign bytes. */
static bool entry_whole(const struct page *page, size_t copied_bytes)
{
    return copied_bytes >= sizeof *page && page->key_bytes <= copied_bytes - sizeof *page &&
           page->path_offset >= sizeof *page && page->path_bytes <= page->key_bytes &&
           page->path_offset - sizeof *page <= page->key_bytes - page->path_bytes &&
           copied_bytes >= page->variants_offset && page_check_struct(page, page->bytes) == 0;
}

/* What an entry is: worker/fragment.h, worker/hints_shared.h, worker/vary.h. */
static const char *kind_of(const struct page *page)
{
    if (page->key_bytes > 0 && *page_key(page) == PAGE_KEY_FRAGMENT)
        return "fragment";
    if (page->key_bytes > 0 && *page_key(page) == PAGE_KEY_HINTS)
        return "hints";
    return page_is_vary(page) ? "variants" : "page";
}

/* As the application wrote them; [] where there is no memory, as without any. */
static json_t *tags_json(const struct page *page)
{
    json_t *tags = json_array();
    struct span tag;
    uint32_t at = 0;

    while (tags != NULL && page_next_tag(page, &at, &tag))
        (void)json_array_append_new(tags, bytes_json(tag.data, tag.bytes));
    return tags;
}

/* A key begins with the host; the path follows. A fragment's is a mark and its name, that of hints a mark and a number. */
static json_t *entry_json(const struct walk *walk, const struct page *page,
                          const struct cold_seen *seen)
{
    const char *kind = kind_of(page);
    size_t mark_bytes = kind[0] == 'f' || kind[0] == 'h';
    size_t host_bytes = mark_bytes > 0 ? 0 : page->path_offset - sizeof *page;

    return json_pack("{s:s s:o s:o s:o s:i s:I s:f s:f s:I s:i s:o s:f}", "kind", kind, "url",
                     bytes_json(page_at(page, page->path_offset), page->path_bytes), "host",
                     bytes_json(page_key(page), host_bytes), "key",
                     bytes_json(page_key(page) + mark_bytes, page->key_bytes - mark_bytes),
                     "status", (int)page->status, "bytes", (json_int_t)page->bytes, "age_s",
                     seconds_between(page->stored_ms, walk->now_ms), "ttl_s",
                     seconds_between(walk->now_ms, page->fresh_until_ms), "hits",
                     (json_int_t)hits_of(walk->hits, seen->slot, page), "heat", (int)seen->heat,
                     "tags", tags_json(page), "render_ms", (double)page->render_us / 1000.0);
}

static bool list_page(void *arg, const struct page *page, size_t copied_bytes,
                      const struct cold_seen *seen)
{
    struct walk *walk = arg;

    if (!entry_whole(page, copied_bytes))
        return true;
    if (page->path_bytes < walk->path.bytes ||
        memcmp(page_at(page, page->path_offset), walk->path.data, walk->path.bytes) != 0)
        return true;
    if (walk->entries == CONTROL_ENTRIES_MAX ||
        evbuffer_get_length(walk->out) > CONTROL_ANSWER_BYTES_MAX) {
        walk->truncated = true;
        return false;
    }
    answer_json(walk->out, entry_json(walk, page, seen));
    walk->entries++;
    return true;
}

static bool note_key(void *arg, const struct page *page, size_t copied_bytes,
                     const struct cold_seen *seen)
{
    struct walk *walk = arg;
    struct key *key;

    if (!entry_whole(page, copied_bytes) || page_is_vary(page))
        return true;
    if (page->path_bytes != walk->path.bytes ||
        memcmp(page_at(page, page->path_offset), walk->path.data, walk->path.bytes) != 0)
        return true;
    if (walk->entries == array_len(walk->key)) {
        walk->truncated = true;
        return false;
    }
    key = &walk->key[walk->entries];
    key->data = malloc(page->key_bytes == 0 ? 1 : page->key_bytes);
    if (key->data == NULL)
        return false;
    memcpy(key->data, page_key(page), page->key_bytes);
    key->bytes = page->key_bytes;
    key->hash = page->hash;
    key->seen = *seen;
    walk->entries++;
    return true;
}

static void answer_end(struct walk *walk)
{
    answer_json(walk->out, json_pack("{s:b s:I s:b}", "ok", 1, "entries", (json_int_t)walk->entries,
                                     "truncated", walk->truncated));
}

static void run_cache_ls(struct walk *walk, const char *prefix)
{
    walk->path = (struct span){"", 0};
    if (prefix[0] != '\0' && control_url_path(prefix, &walk->path) != 0) {
        control_answer(walk->out, false, "not a prefix: write the beginning of a path, /blog/");
        return;
    }
    cold_walk(walk->cold, list_page, walk);
    answer_end(walk);
}

/* The body goes with the identity variant, what is not UTF-8 in it as \xNN; the others are the same
 * compressed. */
static json_t *variant_json(const struct page *page, enum page_encoding encoding)
{
    const struct page_variant *v = page_variant(page, encoding);
    json_t *json =
        json_pack("{s:o s:I s:o}", "etag", bytes_json(page_at(page, v->etag_offset), v->etag_bytes),
                  "body_bytes", (json_int_t)v->body_bytes, "head",
                  bytes_json(page_at(page, v->head_offset), v->head_bytes));

    if (json != NULL && encoding == PAGE_IDENTITY)
        (void)json_object_set_new(json, "body",
                                  bytes_json(page_at(page, v->body_offset), v->body_bytes));
    return json;
}

static json_t *variants_json(const struct page *page)
{
    json_t *variants = json_object();

    for (unsigned i = 0; i < PAGE_ENCODINGS; i++) {
        if (page_has(page, i))
            (void)json_object_set_new(variants, page_encoding_name((enum page_encoding)i),
                                      variant_json(page, (enum page_encoding)i));
    }
    return variants;
}

/* The whole page of a key, if it is still there: cold_copy() has checked every offset in it. */
static bool answer_page(struct walk *walk, const struct key *key)
{
    struct cold_ref ref;
    autofree struct page *page = NULL;
    json_t *entry;

    if (cold_find(walk->cold, key->data, key->bytes, key->hash, &ref) != 0)
        return false;
    page = malloc(ref.page_bytes);
    if (page == NULL || cold_copy(walk->cold, &ref, key->data, key->bytes, page) != 0 ||
        !entry_whole(page, ref.page_bytes))
        return false;
    entry = entry_json(walk, page, &key->seen);
    if (entry == NULL || json_object_set_new(entry, "variants", variants_json(page)) != 0) {
        json_decref(entry);
        return false;
    }
    answer_json(walk->out, entry);
    return true;
}

static void run_cache_get(struct walk *walk, const struct config *config, const char *url)
{
    autofree char *normal = malloc(PAGE_KEY_BYTES_MAX);
    size_t bytes, shown = 0;

    if (config == NULL) {
        control_answer(walk->out, false, STOPPING);
        return;
    }
    if (normal == NULL || normal_path(config, url, normal, &bytes) != 0) {
        control_answer(walk->out, false, "not a URL: write /path?query or http://host/path?query");
        return;
    }
    walk->path = (struct span){normal, bytes};
    cold_walk(walk->cold, note_key, walk);
    for (size_t i = 0; i < walk->entries; i++) {
        if (evbuffer_get_length(walk->out) > CONTROL_ANSWER_BYTES_MAX)
            walk->truncated = true;
        else
            shown += answer_page(walk, &walk->key[i]);
        free(walk->key[i].data);
    }
    walk->entries = shown;
    if (shown == 0)
        control_answer(walk->out, false, "not in the cold cache");
    else
        answer_end(walk);
}

static void run_walk(struct master *master, struct walk *walk,
                     const struct control_request *request)
{
    struct hits_now *hits = hits_look(master_region(master));

    walk->hits = hits;
    if (hits == NULL)
        control_answer(walk->out, false, "out of memory");
    else if (request->verb == CONTROL_CACHE_LS)
        run_cache_ls(walk, request->prefix);
    else
        run_cache_get(walk, master_config(master), request->url);
    hits_look_free(hits);
}

/* the others */

static void run_log(struct evbuffer *out, const char *level_name)
{
    enum log_level level;
    char text[60];

    if (log_level_parse(level_name, &level) != 0) {
        control_answer(out, false, "unknown level: write error, warn, info or debug");
        return;
    }
    log_set_level(level);
    log_info("log level changed", log_str("level", log_level_name(level)));
    (void)snprintf(text, sizeof text, "log level is %s", log_level_name(level));
    control_answer(out, true, text);
}

static void run_where(struct evbuffer *out, const char *http_path)
{
    answer_json(out, json_pack("{s:b s:o s:I s:s}", "ok", 1, "http",
                               bytes_json(http_path, strlen(http_path)), "pid",
                               (json_int_t)getpid(), "version", SSRD_VERSION));
}

enum control_next control_command(struct master *master, const char *http_path,
                                  const struct control_request *request, struct evbuffer *out)
{
    struct region *region = master_region(master);
    struct cold *cold = master_cold(master);
    struct walk walk = {.out = out, .cold = cold, .now_ms = region_now_ms(region)};

    switch (request->verb) {
    case CONTROL_RELOAD:
    case CONTROL_STOP:
    case CONTROL_DRAIN:
        return CONTROL_AWAIT;
    case CONTROL_STATUS:
        answer_report(out, "status", report_status(region, cold, SSRD_V8_VERSION));
        break;
    case CONTROL_CACHE_STAT:
        answer_report(out, "cache", report_cache(region, cold));
        break;
    case CONTROL_PURGE:
        run_purge(master, request, out);
        break;
    case CONTROL_CACHE_LS:
    case CONTROL_CACHE_GET:
        run_walk(master, &walk, request);
        break;
    case CONTROL_LOG:
        run_log(out, request->level);
        break;
    case CONTROL_WHERE:
        run_where(out, http_path);
        break;
    }
    return CONTROL_ANSWERED;
}
