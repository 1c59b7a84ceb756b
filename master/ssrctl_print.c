/* SPDX-License-Identifier: MIT */
/*
 * ssrctl_print.c - the server's JSON as tables for people. What is missing or of another type
 * prints as 0 or "-": server and ssrctl may be of different versions. Text from the server holds
 * clients' bytes, so it is escaped: a URL must not drive a terminal.
 */
#include "master/ssrctl.h"

#include "shm/utf8.h"

#include <inttypes.h>
#include <string.h>

static bool is_among(uint32_t code, const char *list)
{
    return code > 0 && code < 0x80 && strchr(list, (int)code) != NULL;
}

/* Control characters but those allowed, and whatever else is named. */
static void print_bytes(FILE *out, const char *text, size_t bytes, const char *allowed,
                        const char *escaped)
{
    size_t step;
    uint32_t code;

    for (size_t i = 0; i < bytes; i += step) {
        step = utf8_next(text + i, bytes - i, &code);
        if (step == 0 || (utf8_is_control(code) && !is_among(code, allowed)) ||
            is_among(code, escaped)) {
            step = step == 0 ? 1 : step;
            for (size_t k = i; k < i + step; k++)
                (void)fprintf(out, "\\x%02x", (unsigned char)text[k]);
        } else {
            (void)fwrite(text + i, 1, step, out);
        }
    }
}

static void print_escaped(FILE *out, const char *text, const char *allowed)
{
    print_bytes(out, text, strlen(text), allowed, "");
}

void print_text(FILE *out, const char *text)
{
    print_escaped(out, text, "\n\t");
}

static double number(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL || text[0] == '\0' ? "-" : text;
}

/* A field that may hold any byte, NUL as well. */
static void print_field(FILE *out, const json_t *object, const char *name)
{
    const json_t *field = json_object_get(object, name);

    if (json_string_length(field) == 0)
        (void)fputc('-', out);
    else
        print_bytes(out, json_string_value(field), json_string_length(field), "", "");
}

struct cell {
    char text[32];
};

static struct cell size_cell(double bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    struct cell cell;
    size_t i = 0;

    while (bytes >= 1024 && i + 1 < array_len(unit)) {
        bytes /= 1024;
        i++;
    }
    (void)snprintf(cell.text, sizeof cell.text, i == 0 || bytes >= 100 ? "%.0f %s" : "%.1f %s",
                   bytes, unit[i]);
    return cell;
}

static struct cell duration_cell(double seconds)
{
    struct cell cell;
    uint64_t s = seconds < 0 ? 0 : (uint64_t)seconds;

    if (seconds < 0)
        (void)snprintf(cell.text, sizeof cell.text, "-%.0fs", -seconds);
    else if (s < 60)
        (void)snprintf(cell.text, sizeof cell.text, "%" PRIu64 "s", s);
    else if (s < 3600)
        (void)snprintf(cell.text, sizeof cell.text, "%" PRIu64 "m%02us", s / 60,
                       (unsigned)(s % 60));
    else if (s < 86400)
        (void)snprintf(cell.text, sizeof cell.text, "%" PRIu64 "h%02um", s / 3600,
                       (unsigned)(s / 60 % 60));
    else
        (void)snprintf(cell.text, sizeof cell.text, "%" PRIu64 "d%02uh", s / 86400,
                       (unsigned)(s / 3600 % 24));
    return cell;
}

/* "3,120,331" */
static struct cell count_cell(double count)
{
    char digits[32];
    struct cell cell;
    size_t n, at = 0;

    (void)snprintf(digits, sizeof digits, "%.0f", count < 0 || count > 1e18 ? 0 : count);
    n = strlen(digits);
    for (size_t i = 0; i < n; i++) {
        cell.text[at++] = digits[i];
        if ((n - i - 1) % 3 == 0 && i + 1 < n)
            cell.text[at++] = ',';
    }
    cell.text[at] = '\0';
    return cell;
}

#define SIZE(object, name) size_cell(number(object, name)).text
#define COUNT(object, name) count_cell(number(object, name)).text
#define DURATION(object, name) duration_cell(number(object, name)).text

static void print_worker(FILE *out, const json_t *worker)
{
    struct cell cpu = {"-"};

    if (number(worker, "cpu") >= 0)
        (void)snprintf(cpu.text, sizeof cpu.text, "%.0f", number(worker, "cpu"));
    (void)fprintf(out, "%6.0f %8.0f %4s %4.0f  %-9s", number(worker, "worker"),
                  number(worker, "pid"), cpu.text, number(worker, "generation"),
                  text_of(worker, "state"));
    (void)fprintf(out, " %13s %11s", COUNT(worker, "requests"), COUNT(worker, "renders"));
    (void)fprintf(out, " %6s", COUNT(worker, "connections"));
    (void)fprintf(out, " %9s %9s", SIZE(worker, "rss_bytes"), SIZE(worker, "heap_bytes"));
    (void)fprintf(out, " %8s\n", DURATION(worker, "uptime_s"));
}

void print_status(FILE *out, const json_t *status)
{
    const json_t *restarts = json_object_get(status, "restarts");
    const json_t *reloads = json_object_get(status, "reloads");
    const json_t *renders = json_object_get(status, "renders");
    const json_t *requests = json_object_get(status, "requests");
    const json_t *workers = json_object_get(status, "workers");

    (void)fprintf(out, "ssrd %s, V8 %s, pid %.0f, up %s\n", text_of(status, "version"),
                  text_of(status, "v8"), number(status, "pid"), DURATION(status, "uptime_s"));
    (void)fprintf(out, "bundle    generation %.0f, hash %s; reloads: %s done, ",
                  number(status, "generation"), text_of(status, "bundle_hash"),
                  COUNT(reloads, "ok"));
    (void)fprintf(out, "%s refused\n\n", COUNT(reloads, "refused"));
    (void)fputs("worker      pid  cpu  gen  state          requests     renders  conns       RSS "
                "     heap   uptime\n",
                out);
    for (size_t i = 0; i < json_array_size(workers); i++)
        print_worker(out, json_array_get(workers, i));
    (void)fprintf(out, "restarts  after a crash %s, ", COUNT(restarts, "crash"));
    (void)fprintf(out, "after a hang %s, ", COUNT(restarts, "hung"));
    (void)fprintf(out, "recycled %s\n\n", COUNT(restarts, "recycled"));
    (void)fprintf(out, "requests  2xx %s", COUNT(requests, "2xx"));
    (void)fprintf(out, ", 3xx %s", COUNT(requests, "3xx"));
    (void)fprintf(out, ", 4xx %s", COUNT(requests, "4xx"));
    (void)fprintf(out, ", 5xx %s\n", COUNT(requests, "5xx"));
    (void)fprintf(out, "renders   ok %s", COUNT(renders, "ok"));
    (void)fprintf(out, ", error %s", COUNT(renders, "error"));
    (void)fprintf(out, ", timeout %s", COUNT(renders, "timeout"));
    (void)fprintf(out, ", out of memory %s", COUNT(renders, "oom"));
    (void)fprintf(out, ", shed %s\n", COUNT(renders, "shed"));
    (void)fprintf(out, "queue     %s renders wait\n", COUNT(status, "queue"));
    print_cache(out, json_object_get(status, "cache"));
}

/* Of the requests that may be answered from a cache, how many were. */
static double hit_ratio(const json_t *requests)
{
    double hits = number(requests, "hot") + number(requests, "cold") + number(requests, "stale") +
                  number(requests, "collapsed");
    double all = hits + number(requests, "miss");

    return all > 0 ? hits / all * 100 : 0;
}

void print_cache(FILE *out, const json_t *cache)
{
    const json_t *cold = json_object_get(cache, "cold");
    const json_t *hot = json_object_get(cache, "hot");
    const json_t *requests = json_object_get(cache, "requests");
    const json_t *fragments = json_object_get(cache, "fragments");

    (void)fprintf(out, "cold      %s entries", COUNT(cold, "entries"));
    (void)fprintf(out, ", %s of ", SIZE(cold, "used_bytes"));
    (void)fprintf(out, "%s; evicted ", SIZE(cold, "budget_bytes"));
    (void)fprintf(out, "%s, no room for ", COUNT(cold, "evictions"));
    (void)fprintf(out, "%s, repaired ", COUNT(cold, "refused"));
    (void)fprintf(out, "%s segments, corrupt ", COUNT(cold, "repairs"));
    (void)fprintf(out, "%s\n", COUNT(cold, "corrupt"));
    (void)fprintf(out, "hot       %s entries", COUNT(hot, "entries"));
    (void)fprintf(out, ", %s, all workers; evicted ", SIZE(hot, "used_bytes"));
    (void)fprintf(out, "%s\n", COUNT(hot, "evictions"));
    (void)fprintf(out, "answered  %.1f %% from a cache: hot %s", hit_ratio(requests),
                  COUNT(requests, "hot"));
    (void)fprintf(out, ", cold %s", COUNT(requests, "cold"));
    (void)fprintf(out, ", stale %s", COUNT(requests, "stale"));
    (void)fprintf(out, ", collapsed %s", COUNT(requests, "collapsed"));
    (void)fprintf(out, "; miss %s", COUNT(requests, "miss"));
    (void)fprintf(out, ", bypass %s\n", COUNT(requests, "bypass"));
    (void)fprintf(out, "fragments hit %s", COUNT(fragments, "hit"));
    (void)fprintf(out, ", miss %s", COUNT(fragments, "miss"));
    (void)fprintf(out, ", stored %s", COUNT(fragments, "stored"));
    (void)fprintf(out, ", refused %s\n", COUNT(fragments, "refused"));
}

void print_entries_head(FILE *out)
{
    (void)fputs("status      size      age      ttl    render      hits  url  tags\n", out);
}

static void print_host_and_url(FILE *out, const json_t *entry)
{
    if (json_string_length(json_object_get(entry, "host")) > 0)
        print_field(out, entry, "host");
    print_field(out, entry, "url");
}

/* With commas between them; a comma or a space within one is escaped, so that scripts can part them. */
static void print_tags(FILE *out, const json_t *tags)
{
    for (size_t i = 0; i < json_array_size(tags); i++) {
        const json_t *tag = json_array_get(tags, i);

        if (i > 0)
            (void)fputc(',', out);
        print_bytes(out, json_string_value(tag), json_string_length(tag), "", ", ");
    }
    if (json_array_size(tags) == 0)
        (void)fputc('-', out);
}

/* What tells it from other pages of its URL: the lines of the key behind host and URL, but those that only part them. */
static void print_variant(FILE *out, const json_t *entry)
{
    const json_t *key = json_object_get(entry, "key");
    size_t bytes = json_string_length(key);
    size_t at = json_string_length(json_object_get(entry, "host")) +
                json_string_length(json_object_get(entry, "url"));
    const char *text = json_string_value(key);
    const char *separator = " (";

    while (at < bytes) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t line = (end == NULL ? bytes : (size_t)(end - text)) - at;

        if (line > 0 && !(line == 1 && text[at] == '?')) {
            (void)fputs(separator, out);
            print_bytes(out, text + at, line, "", "");
            separator = ", ";
        }
        at += line + 1;
    }
    if (strcmp(separator, ", ") == 0)
        (void)fputc(')', out);
}

/* Host and URL of a page; of what is none, what it is and its key. */
static void print_name(FILE *out, const json_t *entry)
{
    const char *kind = text_of(entry, "kind");

    if (strcmp(kind, "fragment") == 0) {
        (void)fputs("fragment ", out);
        print_field(out, entry, "key");
        return;
    }
    if (strcmp(kind, "hints") == 0) {
        (void)fputs("links that pages send ahead", out);
        return;
    }
    print_host_and_url(out, entry);
    if (strcmp(kind, "variants") == 0)
        (void)fputs(" (what its variants differ by)", out);
    else
        print_variant(out, entry);
}

void print_entry(FILE *out, const json_t *entry)
{
    struct cell status = {"-"};

    if (number(entry, "status") >= 100)
        (void)snprintf(status.text, sizeof status.text, "%.0f", number(entry, "status"));
    (void)fprintf(out, "%6s %9s", status.text, SIZE(entry, "bytes"));
    (void)fprintf(out, " %8s", DURATION(entry, "age_s"));
    (void)fprintf(out, " %8s %6.1f ms", DURATION(entry, "ttl_s"), number(entry, "render_ms"));
    (void)fprintf(out, " %9s  ", COUNT(entry, "hits"));
    print_name(out, entry);
    (void)fputs("  ", out);
    print_tags(out, json_object_get(entry, "tags"));
    (void)fputc('\n', out);
}

/* A head as stored: lines that end in CRLF. */
static void print_head(FILE *out, const char *head)
{
    while (*head != '\0') {
        size_t bytes = strcspn(head, "\r\n");
        char line[1000];

        (void)snprintf(line, sizeof line, "%.*s", (int)bytes, head);
        (void)fputs("  ", out);
        print_escaped(out, line, "");
        (void)fputc('\n', out);
        head += bytes;
        head += strspn(head, "\r\n");
    }
}

void print_entry_whole(FILE *out, const json_t *entry)
{
    json_t *variants = json_object_get(entry, "variants");

    (void)fputs("url     ", out);
    print_host_and_url(out, entry);
    (void)fputs("\nkey     ", out);
    print_field(out, entry, "key");
    (void)fprintf(out, "\nstatus  %.0f\nsize    %s\n", number(entry, "status"),
                  SIZE(entry, "bytes"));
    (void)fprintf(out, "age     %s\n", DURATION(entry, "age_s"));
    (void)fprintf(out, "ttl     %s\n", DURATION(entry, "ttl_s"));
    (void)fprintf(out, "render  %.1f ms\nhits    %s\nheat    %.0f\ntags    ",
                  number(entry, "render_ms"), COUNT(entry, "hits"), number(entry, "heat"));
    print_tags(out, json_object_get(entry, "tags"));
    (void)fputc('\n', out);
    for (void *it = json_object_iter(variants); it != NULL;
         it = json_object_iter_next(variants, it)) {
        const json_t *variant = json_object_iter_value(it);

        (void)fprintf(out, "\n%s, body of %s\n", json_object_iter_key(it),
                      SIZE(variant, "body_bytes"));
        print_head(out, text_of(variant, "head"));
        if (json_object_get(variant, "body") != NULL) {
            (void)fputc('\n', out);
            print_text(out, text_of(variant, "body"));
            (void)fputc('\n', out);
        }
    }
}
