/* SPDX-License-Identifier: MIT */
/*
 * test_problem.c - worker/bundle_load.c: what people are told of a bundle that does not load, or
 * whose warm-up pages do not render. JavaScript and watchdog are the test's own: `says` is what
 * they answer.
 */
#include "worker/bundle_load.h"

#include "shm/log.h"
#include "worker/render_once.h"
#include "worker/watchdog.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- JavaScript and watchdog ---- */

struct js {
    struct js_options options;
};

static struct {
    bool no_isolate;
    int load_error;
    struct js_error *error; /* of js_new() or js_load(); freed by who asked */
    int watchdog_error;
    struct js_result result; /* of pages whose URL is not /good */
    uint64_t deadline_ns;    /* while the bundle loaded */
    uint64_t spare_ns, latest_ns;
    struct js_bundle bundle;
    bool is_loading_armed;
} says;

static struct js_outside outside; /* of the last isolate */
static unsigned isolates, watchdogs, renders;
static bool is_armed;
static uint64_t last_timeout_ms;

void js_bound_memories(uint64_t bytes)
{
    (void)bytes;
}

void js_start(const char *flags)
{
    (void)flags;
}

struct js *js_new(const struct js_options *options, struct js_error **ret_error)
{
    struct js *js;

    if (says.no_isolate) {
        *ret_error = take(says.error);
        return NULL;
    }
    js = calloc(1, sizeof *js);
    assert_non_null(js);
    js->options = *options;
    outside = options->outside;
    isolates++;
    return js;
}

bool js_speaker(const struct js *js, const char **ret_id, size_t *ret_bytes)
{
    return false;
}

static unsigned settled;

void js_settle(struct js_wait *wait, enum js_value kind, const void *data, size_t bytes)
{
    assert_int_equal(kind, JS_VALUE_ERROR);
    assert_non_null(memmem(data, bytes, "network", 7));
    settled++;
}

void js_free(struct js *js)
{
    if (!js)
        return;
    isolates--;
    free(js);
}

const struct js_contract *js_contract(const struct js *js)
{
    static const struct js_contract contract = {"a bundle", false, false};

    return &contract;
}

int js_load_bundle(struct js *js, const struct js_bundle *bundle, struct js_error **ret_error)
{
    says.is_loading_armed = is_armed;
    says.bundle = *bundle;
    if (says.load_error)
        *ret_error = take(says.error);
    return says.load_error;
}

int js_code(struct js *js, void **ret_code, size_t *ret_bytes)
{
    return -ENOENT;
}

struct js_code_use js_code_used(const struct js *js)
{
    return (struct js_code_use){0};
}

void js_error_free(struct js_error *error)
{
    free(error); /* its strings are literals here */
}

int watchdog_start(struct js *js, struct watchdog **ret_watchdog)
{
    if (says.watchdog_error)
        return says.watchdog_error;
    *ret_watchdog = (struct watchdog *)&watchdogs;
    watchdogs++;
    return 0;
}

void watchdog_stop(struct watchdog *watchdog)
{
    if (!watchdog)
        return;
    assert_false(is_armed);
    watchdogs--;
}

void watchdog_arm(struct watchdog *watchdog, uint64_t deadline_ns)
{
    is_armed = true;
    says.deadline_ns = deadline_ns;
}

void watchdog_spare(struct watchdog *watchdog, uint64_t cpu_ns, uint64_t latest_ns)
{
    assert_false(is_armed);
    says.spare_ns = cpu_ns;
    says.latest_ns = latest_ns;
}

void watchdog_disarm(struct watchdog *watchdog)
{
    is_armed = false;
}

void render_once(struct js *js, struct watchdog *watchdog, const char *url, const char *data,
                 uint64_t timeout_ms, js_done *done, void *arg)
{
    static const struct js_result good = {.outcome = JS_OK, .status = 200};

    renders++;
    last_timeout_ms = timeout_ms;
    if (strcmp(url, "/fetches") == 0)
        assert_true(outside.ask(NULL, NULL, "fetch.head\n1", 12, NULL, 0));
    done(arg, strcmp(url, "/good") == 0 ? &good : &says.result);
}

/* ---- fixtures ---- */

static struct js_error error_at(const char *file, uint32_t line, uint32_t column,
                                const char *message)
{
    return (struct js_error){.message = (char *)message,
                             .file = (char *)file,
                             .line = line,
                             .column = column,
                             .source = (char *)"",
                             .stack = (char *)"",
                             .hint = (char *)"",
                             .frame = (char *)""};
}

static struct js_error *owned(struct js_error error)
{
    struct js_error *copy = malloc(sizeof *copy);

    assert_non_null(copy);
    *copy = error;
    return copy;
}

struct fixture {
    struct config config;
    struct heritage heritage;
    struct problem problem;
    char *warmup[4];
    struct config_route route;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    memset(&says, 0, sizeof says);
    isolates = watchdogs = renders = 0;
    f->config.bundle.function = (char *)"renderPage";
    f->config.render.heap_bytes = 64 * MIB;
    f->config.bundle.warmup.item = f->warmup;
    f->config.policy.timeout_ms = 5000;
    f->heritage = (struct heritage){
        .config = &f->config,
        .bundle = "1",
        .bundle_bytes = 1,
        .bundle_name = "dist/server.js",
        .generation = 7,
        .version = "0.0",
    };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    assert_int_equal(isolates, 0);
    assert_int_equal(watchdogs, 0);
    free(*state);
    return 0;
}

static void warm_up_with(struct fixture *f, const char *first, const char *second)
{
    f->warmup[0] = (char *)first;
    f->warmup[1] = (char *)second;
    f->config.bundle.warmup.count = second ? 2 : 1;
}

static void not_loaded(struct fixture *f, const char *text)
{
    assert_null(bundle_load(&f->heritage, &f->problem));
    assert_string_equal(f->problem.text, text);
}

/* ---- text ---- */

static void an_error_names_file_line_and_column(void **state)
{
    struct fixture *f = *state;
    struct js_error error = error_at("dist/server.js", 12, 5, "TypeError: x is not a function");

    problem_from_js(&f->problem, NULL, &error);
    assert_string_equal(f->problem.text, "dist/server.js:12:5: TypeError: x is not a function");
    problem_from_js(&f->problem, "rendering /: ", &error);
    assert_string_equal(f->problem.text,
                        "dist/server.js:12:5: rendering /: TypeError: x is not a function");
}

static void without_a_position_there_are_no_empty_colons(void **state)
{
    struct fixture *f = *state;
    struct js_error error = error_at("dist/server.js", 0, 0, "no renderPage");

    problem_from_js(&f->problem, NULL, &error);
    assert_string_equal(f->problem.text, "dist/server.js: no renderPage");
    error.file = (char *)"";
    problem_from_js(&f->problem, "rendering /: ", &error);
    assert_string_equal(f->problem.text, "rendering /: no renderPage");
}

static void source_hint_and_stack_follow_where_they_are_known(void **state)
{
    struct fixture *f = *state;
    struct js_error error = error_at("a.js", 1, 2, "Error: no");

    error.source = (char *)"  throw new Error('no')";
    error.hint = (char *)"remove it";
    error.stack = (char *)"Error: no\n    at a.js:1:2";
    problem_from_js(&f->problem, NULL, &error);
    assert_string_equal(f->problem.text, "a.js:1:2: Error: no\n"
                                         "      throw new Error('no')\n"
                                         "    hint: remove it\n"
                                         "Error: no\n    at a.js:1:2");
    error.source = error.stack = (char *)"";
    problem_from_js(&f->problem, NULL, &error);
    assert_string_equal(f->problem.text, "a.js:1:2: Error: no\n    hint: remove it");
}

static void percent_signs_are_text(void **state)
{
    struct fixture *f = *state;
    struct js_error error = error_at("%s.js", 1, 1, "Error: 100%n %s");

    error.stack = (char *)"%s%s%n";
    problem_from_js(&f->problem, "%d: ", &error);
    assert_string_equal(f->problem.text, "%s.js:1:1: %d: Error: 100%n %s\n%s%s%n");
}

/* Whatever of it is too long: the text ends inside of its room. */
static void long_text_is_cut(void **state)
{
    struct fixture *f = *state;
    struct js_error error = error_at("a.js", 1, 1, "Error");
    char text[2 * ZYGOTE_TEXT_BYTES];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error.stack = text;
    problem_from_js(&f->problem, NULL, &error);
    assert_int_equal(strlen(f->problem.text), ZYGOTE_TEXT_BYTES - 1);
    error.message = error.source = error.hint = text;
    problem_from_js(&f->problem, NULL, &error);
    assert_int_equal(strlen(f->problem.text), ZYGOTE_TEXT_BYTES - 1);
    assert_int_equal(strncmp(f->problem.text, "a.js:1:1: xxx", 13), 0);
}

/* ---- loading ---- */

static void a_bundle_loads_within_its_time_and_options(void **state)
{
    struct fixture *f = *state;
    uint64_t before_ns = mono_ns();
    struct js *js = bundle_load(&f->heritage, &f->problem);

    assert_non_null(js);
    assert_true(says.is_loading_armed);
    assert_true(says.deadline_ns >= before_ns + BUNDLE_LOAD_MS_MAX * UINT64_C(1000000));
    assert_int_equal(says.spare_ns, BUNDLE_LOAD_MS_MAX * UINT64_C(1000000));
    assert_true(says.latest_ns >= before_ns + BUNDLE_LOAD_WALL_MS_MAX * UINT64_C(1000000));
    assert_true(says.bundle.until_ns == says.latest_ns && says.bundle.sleep_ns == says.spare_ns);
    assert_false(is_armed);
    assert_int_equal(js->options.heap_bytes, 64 * MIB);
    assert_int_equal(js->options.generation, 7);
    assert_non_null(js->options.console);
    assert_string_equal(f->problem.text, "");
    js_free(js);
}

static void what_javascript_says_of_a_bundle_is_passed_on(void **state)
{
    struct fixture *f = *state;

    says.load_error = -EINVAL;
    says.error = owned(error_at("dist/server.js", 3, 9, "SyntaxError: Unexpected token '}'"));
    not_loaded(f, "dist/server.js:3:9: SyntaxError: Unexpected token '}'");
}

static void a_bundle_that_loops_is_told_as_such(void **state)
{
    struct fixture *f = *state;
    char text[256];

    (void)snprintf(
        text, sizeof text,
        "dist/server.js: still loading after %u s of its own time, or %u s beside what else "
        "runs: its top level loops, sleeps or computes too much; move that work into "
        "renderPage",
        BUNDLE_LOAD_MS_MAX / 1000, BUNDLE_LOAD_WALL_MS_MAX / 1000);
    says.load_error = -ETIME;
    not_loaded(f, text);
    says.error = owned(error_at("", 0, 0, "terminated"));
    not_loaded(f, text);
}

static void failures_without_words_are_told_by_their_number(void **state)
{
    struct fixture *f = *state;

    says.load_error = -EINVAL;
    not_loaded(f, "dist/server.js: can't be loaded: Invalid argument");
    says.load_error = 0;
    says.watchdog_error = -EAGAIN;
    not_loaded(f, "dist/server.js: can't be loaded: Resource temporarily unavailable");
    says.no_isolate = true;
    not_loaded(f, "dist/server.js: can't be loaded: Cannot allocate memory");
    says.error = owned(error_at("url.js", 1, 1, "our own fault"));
    not_loaded(f, "url.js:1:1: our own fault");
}

/* ---- warm-up ---- */

static void not_proven(struct fixture *f, const char *text)
{
    assert_int_equal(bundle_prove(NULL, &f->heritage, &f->problem), -EINVAL);
    assert_string_equal(f->problem.text, text);
}

static void each_warm_up_page_is_rendered_once(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(bundle_prove(NULL, &f->heritage, &f->problem), 0); /* none */
    assert_int_equal(renders, 0);
    warm_up_with(f, "/good", "/good");
    assert_int_equal(bundle_prove(NULL, &f->heritage, &f->problem), 0);
    assert_int_equal(renders, 2);
    assert_string_equal(f->problem.text, "");
}

static void the_first_page_that_fails_is_named_and_the_last_rendered(void **state)
{
    struct fixture *f = *state;
    struct js_error error = error_at("dist/server.js", 4, 2, "Error: no");

    says.result = (struct js_result){.outcome = JS_ERROR, .error = &error};
    warm_up_with(f, "/bad", "/good");
    not_proven(f, "dist/server.js:4:2: warm-up page /bad: Error: no");
    assert_int_equal(renders, 1);
    warm_up_with(f, "/good", "/bad");
    not_proven(f, "dist/server.js:4:2: warm-up page /bad: Error: no");
    assert_int_equal(renders, 3);
}

static void a_page_that_answers_5xx_fails_and_one_that_is_not_found_does_not(void **state)
{
    struct fixture *f = *state;

    warm_up_with(f, "/bad", NULL);
    says.result = (struct js_result){.outcome = JS_OK, .status = 500};
    not_proven(f, "warm-up page /bad: answered with status 500");
    says.result.status = 499;
    assert_int_equal(bundle_prove(NULL, &f->heritage, &f->problem), 0);
}

static void a_page_that_takes_too_long_is_told_with_its_limit(void **state)
{
    struct fixture *f = *state;
    struct js_error error = error_at("", 0, 0, "terminated");

    warm_up_with(f, "/slow", NULL);
    says.result = (struct js_result){.outcome = JS_TIMEOUT};
    not_proven(f,
               "warm-up page /slow: not rendered within render.timeout (5000 ms): it loops, or its "
               "promise never settles");
    says.result.error = &error;
    error.stack = (char *)"    at loop (a.js:1:1)";
    not_proven(f,
               "warm-up page /slow: not rendered within render.timeout (5000 ms): it loops, or its "
               "promise never settles\n    at loop (a.js:1:1)");
}

static void a_page_that_needs_too_much_memory_is_told_as_such(void **state)
{
    struct fixture *f = *state;

    warm_up_with(f, "/fat", NULL);
    says.result = (struct js_result){.outcome = JS_OOM};
    not_proven(f, "warm-up page /fat: needs more memory than render.heap allows");
}

static void a_page_has_the_timeout_of_its_route(void **state)
{
    struct fixture *f = *state;

    f->route = (struct config_route){.match = (char *)"/slow", .policy = {.timeout_ms = 9000}};
    f->config.routes.item = &f->route;
    f->config.routes.count = 1;
    says.result = (struct js_result){.outcome = JS_OK, .status = 200};
    warm_up_with(f, "/slow?page=2", NULL);
    assert_int_equal(bundle_prove(NULL, &f->heritage, &f->problem), 0);
    assert_int_equal(last_timeout_ms, 9000);
}

static void without_a_watchdog_nothing_is_proven(void **state)
{
    struct fixture *f = *state;

    says.watchdog_error = -EAGAIN;
    warm_up_with(f, "/good", NULL);
    assert_int_equal(bundle_prove(NULL, &f->heritage, &f->problem), -EAGAIN);
    assert_non_null(strstr(f->problem.text, "watchdog"));
    assert_int_equal(renders, 0);
    assert_int_equal(bundle_heat(NULL, &f->heritage, 1000, 10), 0);
}

static void heating_renders_page_after_page_up_to_the_limit(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(bundle_heat(NULL, &f->heritage, 3600000, 10), 0); /* no pages */
    warm_up_with(f, "/good", "/good");
    assert_int_equal(bundle_heat(NULL, &f->heritage, 3600000, 10), 10);
    assert_int_equal(renders, 10);
    assert_int_equal(bundle_heat(NULL, &f->heritage, 0, 10), 0); /* no time */
}

static void heating_ends_with_the_first_failure(void **state)
{
    struct fixture *f = *state;

    says.result = (struct js_result){.outcome = JS_TIMEOUT};
    warm_up_with(f, "/good", "/slow");
    assert_int_equal(bundle_heat(NULL, &f->heritage, 3600000, 10), 2);
}

static void page_that_fetches_is_neither_proven_nor_heated(void **state)
{
    struct fixture *f = *state;
    struct js *js = bundle_load(&f->heritage, &f->problem);

    says.result = (struct js_result){.outcome = JS_TIMEOUT};
    warm_up_with(f, "/fetches", NULL);
    assert_int_equal(bundle_prove(js, &f->heritage, &f->problem), 0);
    assert_int_equal(bundle_heat(js, &f->heritage, 3600000, 10), 0);
    assert_int_equal(renders, 1);
    assert_int_equal(settled, 1);
    warm_up_with(f, "/fetches", "/good");
    assert_int_equal(bundle_prove(js, &f->heritage, &f->problem), 0);
    assert_int_equal(bundle_heat(js, &f->heritage, 3600000, 10), 10);
    assert_int_equal(settled, 2);
    js_free(js);
}

int main(void)
{
#define WITH_BUNDLE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_BUNDLE(an_error_names_file_line_and_column),
        WITH_BUNDLE(without_a_position_there_are_no_empty_colons),
        WITH_BUNDLE(source_hint_and_stack_follow_where_they_are_known),
        WITH_BUNDLE(percent_signs_are_text),
        WITH_BUNDLE(long_text_is_cut),
        WITH_BUNDLE(a_bundle_loads_within_its_time_and_options),
        WITH_BUNDLE(what_javascript_says_of_a_bundle_is_passed_on),
        WITH_BUNDLE(a_bundle_that_loops_is_told_as_such),
        WITH_BUNDLE(failures_without_words_are_told_by_their_number),
        WITH_BUNDLE(each_warm_up_page_is_rendered_once),
        WITH_BUNDLE(the_first_page_that_fails_is_named_and_the_last_rendered),
        WITH_BUNDLE(a_page_that_answers_5xx_fails_and_one_that_is_not_found_does_not),
        WITH_BUNDLE(a_page_that_takes_too_long_is_told_with_its_limit),
        WITH_BUNDLE(a_page_that_needs_too_much_memory_is_told_as_such),
        WITH_BUNDLE(a_page_has_the_timeout_of_its_route),
        WITH_BUNDLE(without_a_watchdog_nothing_is_proven),
        WITH_BUNDLE(heating_renders_page_after_page_up_to_the_limit),
        WITH_BUNDLE(heating_ends_with_the_first_failure),
        WITH_BUNDLE(page_that_fetches_is_neither_proven_nor_heated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
