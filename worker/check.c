/* SPDX-License-Identifier: MIT */
/*
 * check.c - `ssrd -t` and `ssrctl check`: does the bundle load, do its pages render, how long, how
 * large; and, where it reports, whether a second round gives the same pages, and what renders leave
 * in globals. Runs in a process of its own, so a bundle that takes it down takes nothing else.
 */
#include "shm/heritage.h"
#include "worker/bundle_load.h"
#include "worker/js.h"
#include "worker/privileges.h"
#include "worker/render_once.h"
#include "worker/watchdog.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct report {
    json_t *pages;
    const char *url;
    uint64_t start_ns;
    bool failed;
    bool quiet;
    json_t *first; /* second round: what the page of the first one has become */
};

static void add_page(struct report *r, const struct js_result *result, const char *problem)
{
    json_t *page = json_pack("{s:s, s:f, s:b}", "url", r->url, "ms",
                             (double)(mono_ns() - r->start_ns) / 1e6, "ok", problem == NULL);

    if (!page)
        return;
    if (problem) {
        (void)json_object_set_new(page, "problem", json_string_nocheck(problem));
    } else {
        (void)json_object_set_new(page, "status", json_integer(result->status));
        (void)json_object_set_new(page, "bytes", json_integer((json_int_t)result->body_bytes));
        (void)json_object_set_new(page, "empty", json_boolean(result->body_bytes == 0));
        if (!r->quiet && result->body) /* until the second round */
            (void)json_object_set_new(page, "body",
                                      json_stringn_nocheck(result->body, result->body_bytes));
    }
    (void)json_array_append_new(r->pages, page);
}

/* Length of what two pages begin with alike. */
static size_t alike(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    size_t i = 0;

    while (i < a_bytes && i < b_bytes && a[i] == b[i])
        i++;
    return i;
}

/* "differs_at": the byte; a render that fails now differs from its first one at byte 0. */
static void on_rendered_again(void *arg, const struct js_result *result)
{
    struct report *r = arg;
    const json_t *body = json_object_get(r->first, "body");
    size_t bytes = json_string_length(body);
    size_t same = 0;

    if (!body || (bundle_asked_outside() && result->outcome != JS_OK))
        return;
    if (result->outcome == JS_OK)
        same = alike(json_string_value(body), bytes, result->body, result->body_bytes);
    if (result->outcome != JS_OK || same != bytes || same != result->body_bytes)
        (void)json_object_set_new(r->first, "differs_at", json_integer((json_int_t)same));
}

static void on_traced(void *arg, const struct js_result *result)
{
    (void)arg;
    (void)result;
    (void)bundle_asked_outside();
}

/* What render.isolation: reset has put back after the render; once more, to see by which lines. */
static void note_leftovers(const struct report *r, struct js *js, struct watchdog *watchdog,
                           const char *data, uint64_t timeout_ms)
{
    json_t *page = json_array_get(r->pages, json_array_size(r->pages) - 1);
    json_t *left = json_array();
    const struct js_place *place;
    size_t count;

    if (!page || !left || js_leftovers(js)[0] == '\0') {
        json_decref(left);
        return;
    }
    js_trace_leftovers(js);
    render_once(js, watchdog, r->url, data, timeout_ms, on_traced, NULL);
    place = js_traced_places(js, &count);
    for (size_t i = 0; i < count; i++) {
        json_t *one = json_pack("{s:o}", "name", json_string_nocheck(place[i].name));
        char at[600];

        if (place[i].line > 0) {
            (void)snprintf(at, sizeof at, "%s:%u:%u", place[i].file, place[i].line,
                           place[i].column);
            (void)json_object_set_new(one, "at", json_string_nocheck(at));
        }
        (void)json_array_append_new(left, one);
    }
    (void)json_object_set_new(page, "left", left);
}

static void on_rendered(void *arg, const struct js_result *result)
{
    struct report *r = arg;
    static struct problem problem; /* 8 kB */
    char prefix[600];

    if (bundle_asked_outside() && result->outcome != JS_OK) { /* no fault of the page */
        add_page(r, &(struct js_result){.outcome = JS_OK}, NULL);
        return;
    }

    (void)snprintf(prefix, sizeof prefix, "rendering %s: ", r->url);
    switch (result->outcome) {
    case JS_OK:
        add_page(r, result, NULL);
        return;
    case JS_ERROR:
        problem_from_js(&problem, prefix, result->error);
        break;
    case JS_TIMEOUT:
    case JS_GONE: /* nobody leaves here */
    case JS_STALL:
        problem_set(&problem,
                    "%snot done within render.timeout: it loops, or its promise never settles",
                    prefix);
        break;
    case JS_OOM:
        problem_set(&problem, "%sneeds more memory than render.heap allows", prefix);
        break;
    }
    r->failed = true;
    add_page(r, NULL, problem.text);
}

static void render_all(struct js *js, const struct heritage *heritage,
                       const struct check_options *options, struct report *report)
{
    const struct str_list *warmup = &heritage->config->bundle.warmup;
    size_t count = options->url_count > 0 ? options->url_count : warmup->count;
    struct watchdog *watchdog = NULL;

    if (watchdog_start(js, &watchdog) != 0) {
        report->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        report->url = options->url_count > 0 ? options->url[i] : warmup->item[i];
        report->start_ns = mono_ns();
        render_once(js, watchdog, report->url, options->data, heritage->config->policy.timeout_ms,
                    on_rendered, report);
        if (!report->quiet)
            note_leftovers(report, js, watchdog, options->data,
                           heritage->config->policy.timeout_ms);
    }
    for (size_t i = 0; i < count && !report->quiet; i++) { /* A, B, A: does B change what A is? */
        report->first = json_array_get(report->pages, i);
        render_once(js, watchdog, options->url_count > 0 ? options->url[i] : warmup->item[i],
                    options->data, heritage->config->policy.timeout_ms, on_rendered_again, report);
        (void)json_object_del(report->first, "body");
    }
    watchdog_stop(watchdog);
}

static void print_state(const json_t *page)
{
    const json_t *left = json_object_get(page, "left");
    const json_t *differs_at = json_object_get(page, "differs_at");
    json_t *one;
    size_t i;

    if (left)
        (void)printf("    leaves in globals, put back by render.isolation: reset:\n");
    json_array_foreach(left, i, one)
    {
        const char *at = json_string_value(json_object_get(one, "at"));

        (void)printf("      %s%s%s\n", json_string_value(json_object_get(one, "name")),
                     at ? ", set at " : "", at ? at : "");
    }
    if (differs_at)
        (void)printf(
            "    rendered once more after all of them it differs, from byte %lld on: state "
            "that renders share, a clock, or chance\n",
            (long long)json_integer_value(differs_at));
}

static void print_text(const struct report *r, const struct heritage *h, const char *contract,
                       uint64_t load_ms, const struct js_heap *heap)
{
    size_t i;
    json_t *page;

    if (!r->quiet)
        (void)printf("%s: %s; loads in %llu ms, %zu bytes of source, heap %.1f MiB\n",
                     h->bundle_name, contract, (unsigned long long)load_ms, h->bundle_bytes,
                     (double)heap->used_bytes / (double)MIB);
    json_array_foreach(r->pages, i, page)
    {
        const char *problem = json_string_value(json_object_get(page, "problem"));

        if (problem)
            (void)printf("%s\n", problem);
        else if (!r->quiet)
            (void)printf("  %-30s %lld  %8lld bytes  %7.2f ms%s\n",
                         json_string_value(json_object_get(page, "url")),
                         (long long)json_integer_value(json_object_get(page, "status")),
                         (long long)json_integer_value(json_object_get(page, "bytes")),
                         json_number_value(json_object_get(page, "ms")),
                         json_is_true(json_object_get(page, "empty")) ? "  the output is empty"
                                                                      : "");
        if (!r->quiet)
            print_state(page);
    }
}

static void print_json(json_t *report)
{
    (void)json_dumpf(report, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    (void)putchar('\n');
    json_decref(report);
}

int check_main(const struct heritage *heritage, const struct check_options *options)
{
    static struct problem problem;
    struct report report = {.pages = json_array(), .quiet = options->quiet};
    uint64_t start_ms = mono_ms();
    struct js_heap heap = {0};
    struct js *js;

    int error = privileges_drop(heritage); /* it is run as it will be when it serves */

    if (error) {
        problem_set(&problem, "can't become user %s: %s", heritage->config->user, strerror(-error));
        js = NULL;
    } else {
        bundle_start_v8(heritage);
        js = bundle_load(heritage, &problem);
    }
    if (!js) {
        if (options->json)
            print_json(json_pack("{s:s, s:b, s:s}", "bundle", heritage->bundle_name, "ok", 0,
                                 "problem", problem.text));
        else
            (void)printf("%s\n", problem.text);
        json_decref(report.pages);
        return EXIT_FAILURE;
    }
    uint64_t load_ms = mono_ms() - start_ms;
    render_all(js, heritage, options, &report);
    js_heap(js, &heap);
    if (options->json)
        print_json(json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:O}", "bundle", heritage->bundle_name,
                             "is", js_contract(js)->text, "ok", !report.failed, "load_ms",
                             (json_int_t)load_ms, "source_bytes",
                             (json_int_t)heritage->bundle_bytes, "heap_bytes",
                             (json_int_t)heap.used_bytes, "pages", report.pages));
    else
        print_text(&report, heritage, js_contract(js)->text, load_ms, &heap);
    json_decref(report.pages);
    return report.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
