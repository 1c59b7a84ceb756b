/* SPDX-License-Identifier: MIT */
/* bundle_load.c - see bundle_load.h. */
#include "worker/bundle_load.h"

#include "shm/log.h"
#include "worker/bundle_code.h"
#include "worker/bundle_needs.h"
#include "worker/render_once.h"
#include "worker/source_maps.h"
#include "worker/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void problem_set(struct problem *problem, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(problem->text, sizeof problem->text, format, args);
    va_end(args);
}

static void append(struct problem *problem, const char *before, const char *text)
{
    size_t used = strlen(problem->text);

    if (text[0] != '\0')
        (void)snprintf(problem->text + used, sizeof problem->text - used, "%s%s", before, text);
}

void problem_from_js(struct problem *problem, const char *prefix, const struct js_error *error)
{
    if (error->line > 0)
        problem_set(problem, "%s:%u:%u: %s%s", error->file, error->line, error->column,
                    prefix ? prefix : "", error->message);
    else
        problem_set(problem, "%s%s%s%s", error->file, error->file[0] ? ": " : "",
                    prefix ? prefix : "", error->message);
    if (error->frame[0] != '\0')
        append(problem, "\n", error->frame);
    else
        append(problem, "\n    ", error->source);
    append(problem, "\n    hint: ", error->hint);
    append(problem, "\n", error->stack);
}

/* Thousands of warm-up renders say nothing new after the first. One isolate a process, so one flag.
 */
static bool console_muted;
static struct js *speaking; /* the isolate, for the request whose render writes */

static void console_to_log(void *arg, enum js_console level, const char *text, size_t bytes)
{
    autofree char *located = NULL;
    const char *id = "";
    size_t id_bytes = 0;

    (void)arg;
    if (console_muted)
        return;
    if (level >= JS_CONSOLE_WARN && memmem(text, bytes, "\n    at ", 8)) { /* an error's stack */
        located = source_maps_text(text, bytes);
        text = located ? located : text;
        bytes = located ? strlen(located) : bytes;
    }
    if (speaking)
        (void)js_speaker(speaking, &id, &id_bytes);
    switch (level) {
    case JS_CONSOLE_ERROR:
        log_error("console", log_span("request", id_bytes ? id : NULL, id_bytes),
                  log_span("text", text, bytes));
        break;
    case JS_CONSOLE_WARN:
        log_warn("console", log_span("request", id_bytes ? id : NULL, id_bytes),
                 log_span("text", text, bytes));
        break;
    case JS_CONSOLE_DEBUG:
        log_debug("console", log_span("request", id_bytes ? id : NULL, id_bytes),
                  log_span("text", text, bytes));
        break;
    case JS_CONSOLE_LOG:
    case JS_CONSOLE_INFO:
        log_info("console", log_span("request", id_bytes ? id : NULL, id_bytes),
                 log_span("text", text, bytes));
        break;
    }
}

/* One isolate a process, so one flag; and which warm-up pages have raised it, by their place. */
static bool asked_outside;
static bool *page_asks;
static size_t page_asks_count;

/* Nothing is known of these pages yet. */
static void forget_pages(const struct str_list *pages)
{
    free(page_asks);
    page_asks = calloc(pages->count + 1, sizeof *page_asks);
    page_asks_count = page_asks ? pages->count : 0;
}

static bool refuse_outside(void *arg, struct js_wait *wait, const char *what, size_t what_bytes,
                           const void *data, size_t data_bytes)
{
    static const char text[] =
        "there is no network while a bundle is loaded, warmed up or checked; pages fetch when "
        "they are asked for";

    (void)arg;
    asked_outside = true;
    js_settle(wait, JS_VALUE_ERROR, text, sizeof text - 1);
    return true;
}

static void forget_outside(void *arg, struct js_wait *wait)
{
}

bool bundle_asked_outside(void)
{
    bool asked = asked_outside;

    asked_outside = false;
    return asked;
}

void bundle_start_v8(const struct heritage *heritage)
{
    js_bound_memories(heritage->config->render.heap_bytes);
    js_start(getenv("SSRD_V8_FLAGS"));
}

/* ---- the files of a bundle ---- */

#define FILE_BYTES_MAX (64 * MIB)

/* A file whole, by malloc; NULL: not there, or none to be read. */
static char *read_file(void *arg, const char *name, size_t *ret_bytes)
{
    autofd int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    autofree char *text = NULL;
    size_t used = 0;

    (void)arg;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        (uint64_t)st.st_size > FILE_BYTES_MAX)
        return NULL;
    text = malloc((size_t)st.st_size + 1);
    while (text && used < (size_t)st.st_size) {
        ssize_t got = read(fd, text + used, (size_t)st.st_size - used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return NULL;
        used += (size_t)got;
    }
    *ret_bytes = used;
    return take(text);
}

static enum js_format format_of(const struct heritage *h)
{
    if (h->config->bundle.format != BUNDLE_AUTO)
        return h->config->bundle.format == BUNDLE_MODULE ? JS_FORMAT_MODULE : JS_FORMAT_SCRIPT;
    return h->package_is_module ? JS_FORMAT_MODULE : JS_FORMAT_AUTO;
}

/* The same rows for the C edge, which knows no heritage. They live as long as the isolate that has
 * them: to the end of the process, or of a load that fails. */
static struct js_file *files;

static struct js_file *list_files(const struct heritage *h)
{
    free(files);
    files = calloc(h->file_count + 1, sizeof *files);
    for (size_t i = 0; files && i < h->file_count; i++)
        files[i] = (struct js_file){h->file[i].name, h->file[i].text, h->file[i].bytes};
    return files;
}

static unsigned gateways_of(const struct config *config)
{
    unsigned bits = 0;

    for (size_t i = 0; i < config->gateways.count; i++)
        bits |= config->gateways.item[i].protocol == GATEWAY_INERTIA ? JS_CALL_INERTIA
                                                                     : JS_CALL_HYPERNOVA;
    return bits;
}

static int load_within_limit(struct js *js, const struct heritage *h, struct js_error **ret_error)
{
    const uint64_t own_ns = BUNDLE_LOAD_MS_MAX * UINT64_C(1000000);
    uint64_t now_ns = mono_ns();
    uint64_t until_ns = now_ns + BUNDLE_LOAD_WALL_MS_MAX * UINT64_C(1000000);
    const char *env = h->config->env ? h->config->env : "{}";
    char folder[PATH_MAX];
    struct js_bundle bundle = {
        .name = h->bundle_name,
        .source = h->bundle,
        .source_bytes = h->bundle_bytes,
        .function = h->config->bundle.function,
        .format = format_of(h),
        .folder = getcwd(folder, sizeof folder),
        .file = list_files(h),
        .file_count = h->file_count,
        .read_file = read_file,
        .env = env,
        .env_bytes = strlen(env),
        .manifest = h->manifest.data,
        .manifest_bytes = h->manifest.bytes,
        .base = h->config->bundle.base,
        .gateways = gateways_of(h->config),
        .until_ns = until_ns,
        .sleep_ns = own_ns,
    };
    struct watchdog *watchdog = NULL;
    int error = bundle.file ? watchdog_start(js, &watchdog) : -ENOMEM;

    for (int i = 0; h->template_part && i < HERITAGE_TEMPLATE_PARTS; i++) {
        bundle.template_part[i] = h->template_part[i].data;
        bundle.template_part_bytes[i] = h->template_part[i].bytes;
    }
    bundle.code = bundle_code(&bundle.code_bytes);
    if (error)
        return error;
    watchdog_spare(watchdog, own_ns, until_ns);
    watchdog_arm(watchdog, now_ns + own_ns);
    error = js_load_bundle(js, &bundle, ret_error);
    watchdog_disarm(watchdog);
    watchdog_stop(watchdog);
    return error;
}

static void explain(struct problem *problem, const struct heritage *h, int error,
                    const struct js_error *js_error)
{
    if (error == -ETIME)
        problem_set(
            problem,
            "%s: still loading after %u s of its own time, or %u s beside what else runs: its top "
            "level loops, sleeps or computes too much; move that work into %s",
            h->bundle_name, BUNDLE_LOAD_MS_MAX / 1000, BUNDLE_LOAD_WALL_MS_MAX / 1000,
            h->config->bundle.function);
    else if (js_error)
        problem_from_js(problem, NULL, js_error);
    else
        problem_set(problem, "%s: can't be loaded: %s", h->bundle_name, strerror(-error));
}

/* Of the bundle or one of its files. */
static bool any_text(const struct heritage *h, bool (*has)(const char *text, size_t bytes))
{
    bool found = has(h->bundle, h->bundle_bytes);

    for (size_t i = 0; i < h->file_count && !found; i++)
        found = has(h->file[i].text, h->file[i].bytes);
    return found;
}

/* What render.browser_globals: auto makes of a failure. */
enum need {
    NEEDS_NOTHING,
    MAY_NEED_BROWSER, /* the stand-ins may cure it; if they don't, it is the failure to tell */
    NEEDS_BROWSER,
};

static enum need need_of(const struct heritage *h, const struct js_error *error)
{
    size_t bytes = 0;

    if (!error || h->config->render.browser_globals != BROWSER_GLOBALS_AUTO)
        return NEEDS_NOTHING;
    if (bundle_needs_browser(error->message, &bytes))
        return NEEDS_BROWSER;
    return bundle_may_need_browser(error->message) && any_text(h, bundle_mentions_browser)
               ? MAY_NEED_BROWSER
               : NEEDS_NOTHING;
}

static void tell_need(const struct heritage *h, const char *message)
{
    size_t bytes = strlen(message);
    const char *name = bundle_needs_browser(message, &bytes);

    log_warn("bundle needs a browser", log_str("path", h->bundle_name),
             log_span("name", name ? name : message, bytes),
             log_str("so",
                     "it is loaded again with stand-ins for window, document and others; some "
                     "libraries take their browser's path then (render.browser_globals: off "
                     "refuses it)"));
}

static enum js_isolation isolation_of(const struct config *config)
{
    switch (config->render.isolation) {
    case ISOLATION_SHARED:
        return JS_SHARED;
    case ISOLATION_CONTEXT:
        return JS_CONTEXT;
    default:
        return JS_RESET;
    }
}

static struct js *load_with(const struct heritage *heritage, bool browser, struct problem *problem);

static struct js *load_again(const struct heritage *heritage, enum need need, const char *message,
                             struct problem *problem)
{
    struct problem second = {0};
    struct js *js;

    if (need == NEEDS_BROWSER)
        tell_need(heritage, message);
    js = load_with(heritage, true, need == NEEDS_BROWSER ? problem : &second);
    if (js && need == MAY_NEED_BROWSER)
        tell_need(heritage, message);
    return js;
}

static struct js *load_with(const struct heritage *heritage, bool browser, struct problem *problem)
{
    struct js_options options = {
        .heap_bytes = heritage->config->render.heap_bytes,
        .isolation = isolation_of(heritage->config),
        .generation = heritage->generation,
        .version = heritage->version,
        .nonce = heritage->nonce_mark,
        .console = console_to_log,
        .locate = source_maps_error,
        .outside = {refuse_outside, forget_outside},
        .browser_globals = browser,
        .later_collections = any_text(heritage, bundle_needs_collections),
        .own_location = any_text(heritage, bundle_sets_location),
    };
    struct js_error *js_error = NULL;
    struct js *js = js_new(&options, &js_error);
    int error;

    speaking = js;
    if (!js) {
        explain(problem, heritage, -ENOMEM, js_error);
        js_error_free(js_error);
        return NULL;
    }
    error = load_within_limit(js, heritage, &js_error);
    if (error) {
        enum need need = error == -EINVAL && !browser ? need_of(heritage, js_error) : NEEDS_NOTHING;

        explain(problem, heritage, error, js_error);
        speaking = NULL;
        js_free(js);
        free(files);
        files = NULL;
        js = need == NEEDS_NOTHING ? NULL : load_again(heritage, need, js_error->message, problem);
        js_error_free(js_error);
        return js;
    }
    return js;
}

struct js *bundle_load(const struct heritage *heritage, struct problem *problem)
{
    source_maps_open(heritage);
    return load_with(heritage, heritage->config->render.browser_globals == BROWSER_GLOBALS_ON,
                     problem);
}

struct proof {
    struct problem *problem;
    const char *url;
    uint64_t timeout_ms;
    int error;
    bool fetches;
};

static void proven(void *arg, const struct js_result *result)
{
    struct proof *proof = arg;
    char prefix[600];

    proof->fetches = bundle_asked_outside();
    if (proof->fetches) {
        log_info("warm-up page fetches, which nothing does before it serves; it is not proven",
                 log_str("url", proof->url));
        return;
    }
    (void)snprintf(prefix, sizeof prefix, "warm-up page %s: ", proof->url);
    switch (result->outcome) {
    case JS_OK:
        if (result->status < 500)
            return;
        problem_set(proof->problem, "%sanswered with status %u", prefix, result->status);
        break;
    case JS_ERROR:
        problem_from_js(proof->problem, prefix, result->error);
        break;
    case JS_TIMEOUT:
    case JS_GONE: /* nobody leaves here */
    case JS_STALL:
        problem_set(proof->problem,
                    "%snot rendered within render.timeout (%llu ms): it loops, or its promise "
                    "never settles%s%s",
                    prefix, (unsigned long long)proof->timeout_ms,
                    result->error && result->error->stack[0] ? "\n" : "",
                    result->error ? result->error->stack : "");
        break;
    case JS_OOM:
        problem_set(proof->problem, "%sneeds more memory than render.heap allows", prefix);
        break;
    }
    proof->error = -EINVAL;
}

static uint64_t timeout_for(const struct heritage *h, const char *url)
{
    return config_policy_for(h->config, url, strcspn(url, "?"))->timeout_ms;
}

int bundle_prove(struct js *js, const struct heritage *heritage, struct problem *problem)
{
    const struct str_list *pages = &heritage->config->bundle.warmup;
    struct watchdog *watchdog = NULL;
    struct proof proof = {.problem = problem};
    int error = watchdog_start(js, &watchdog);

    log_info("bundle", log_str("path", heritage->bundle_name), log_str("is", js_contract(js)->text),
             log_uint("files", 1 + heritage->file_count));
    if (error) {
        problem_set(problem, "the watchdog thread can't be started: %s", strerror(-error));
        return error;
    }
    forget_pages(pages);
    (void)bundle_asked_outside();
    for (size_t i = 0; i < pages->count && proof.error == 0; i++) {
        proof.url = pages->item[i];
        proof.timeout_ms = timeout_for(heritage, proof.url);
        render_once(js, watchdog, proof.url, NULL, proof.timeout_ms, proven, &proof);
        if (i < page_asks_count)
            page_asks[i] = proof.fetches;
    }
    watchdog_stop(watchdog);
    return proof.error;
}

static void count_it(void *arg, const struct js_result *result)
{
    unsigned *failed = arg;

    if (result->outcome != JS_OK)
        (*failed)++;
}

/* A page that has not asked for anything outside. */
static bool any_heats(const struct str_list *pages)
{
    for (size_t i = 0; i < pages->count && i < page_asks_count; i++)
        if (!page_asks[i])
            return true;
    return false;
}

unsigned bundle_heat(struct js *js, const struct heritage *heritage, uint64_t budget_ms,
                     unsigned max_renders)
{
    const struct str_list *pages = &heritage->config->bundle.warmup;
    uint64_t until_ns = mono_ns() + budget_ms * UINT64_C(1000000);
    struct watchdog *watchdog = NULL;
    unsigned rendered = 0, failed = 0;
    size_t turn = 0;

    if (page_asks_count != pages->count)
        forget_pages(pages);
    if (!any_heats(pages) || watchdog_start(js, &watchdog) != 0)
        return 0;
    console_muted = true;
    while (rendered < max_renders && mono_ns() < until_ns && failed == 0) {
        size_t i = turn++ % pages->count;
        const char *url = pages->item[i];

        if (page_asks[i])
            continue;
        render_once(js, watchdog, url, NULL, timeout_for(heritage, url), count_it, &failed);
        rendered++;
        page_asks[i] = bundle_asked_outside();
        if (page_asks[i] && !any_heats(pages))
            break;
    }
    console_muted = false;
    watchdog_stop(watchdog);
    return rendered;
}
