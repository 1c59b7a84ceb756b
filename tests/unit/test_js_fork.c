/* SPDX-License-Identifier: MIT */
/*
 * test_js_fork.c - V8 across fork(2): a zygote warms a bundle, children forked from it render,
 * collect garbage, stop loops, meet the heap limit and run WebAssembly. What goes wrong in a child
 * ends it with a message and a status that is not 0.
 */
#include "worker/js.h"

#include "shm/base.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define HEAP_BYTES (64 * MIB)
#define CHILDREN 3
#define WARM_RENDERS 500
#define RENDERS 4000
#define COLLECT_EVERY 1000

static const char bundle[] =
    "const rows = Array.from({length: 50}, (_, i) => ({i, name: 'Row <' + i + '>'}));"
    "const escape = (s) => s.replace(/[<>&]/g, (c) => '&#' + c.charCodeAt(0) + ';');"
    "const list = (url) => '<ul title=\"' + escape(url) + '\">' +"
    "  rows.map((r) => `<li class=${r.i % 2 ? 'odd' : 'even'}>${escape(r.name)}</li>`).join('') + "
    "'</ul>';"
    "const wasm = new "
    "Uint8Array([0,97,115,109,1,0,0,0,1,7,1,96,2,127,127,1,127,3,2,1,0,7,7,1,3,97,100,100,"
    "  0,0,10,9,1,7,0,32,0,32,1,106,11]);"
    "globalThis.renderPage = (url, data) => {"
    "  switch (data.act) {"
    "  case 'loop': for (;;) {}"
    "  case 'pattern': return String(/(a+)+b/.test('a'.repeat(60)));"
    "  case 'bomb': { const keep = []; for (;;) keep.push(new Array(1000).fill(0.5)) }"
    "  case 'wasm': return WebAssembly.instantiate(wasm).then((m) => "
    "String(m.instance.exports.add(40, 2)));"
    "  case 'random': return Math.random() + ' ' + crypto.randomUUID();"
    "  default: return list(url);"
    "  }"
    "}";

struct last {
    enum js_outcome outcome;
    char body[4096];
    int calls;
};

static void on_done(void *arg, const struct js_result *result)
{
    struct last *last = arg;

    last->calls++;
    last->outcome = result->outcome;
    (void)snprintf(last->body, sizeof last->body, "%.*s", (int)result->body_bytes,
                   result->body_bytes ? result->body : "");
}

static void render(struct js *js, struct last *last, const char *data)
{
    struct js_request request = {
        .url = "/a<b", .url_bytes = 4, .data = data, .data_bytes = strlen(data)};

    last->calls = 0;
    struct js_open *open = js_render(js, &request, on_done, last);
    if (last->calls == 0)
        js_cancel(js, open, JS_TIMEOUT);
}

static void check(bool right, const char *what)
{
    if (right)
        return;
    (void)fprintf(stderr, "child %d: %s\n", (int)getpid(), what);
    _exit(1);
}

struct stopper {
    struct js *js;
    _Atomic bool stop;
};

static void *shoot(void *arg)
{
    struct stopper *s = arg;

    while (!atomic_load_explicit(&s->stop, memory_order_relaxed))
        js_terminate(s->js);
    return NULL;
}

static void render_and_stop(struct js *js, struct last *last, const char *data)
{
    struct stopper s = {.js = js};
    pthread_t thread;

    check(pthread_create(&thread, NULL, shoot, &s) == 0, "no thread");
    render(js, last, data);
    atomic_store_explicit(&s.stop, true, memory_order_relaxed);
    (void)pthread_join(thread, NULL);
    check(last->outcome == JS_TIMEOUT, "what never ends was not stopped");
}

static void expect_list(struct js *js, struct last *last, const char *want)
{
    render(js, last, "");
    check(last->outcome == JS_OK && strcmp(last->body, want) == 0, "not the zygote's page");
}

static void live(struct js *js, const char *want)
{
    struct last last;

    js_after_fork(js);
    for (int i = 1; i <= RENDERS; i++) {
        expect_list(js, &last, want);
        if (i % COLLECT_EVERY == 0)
            js_collect(js);
    }
    for (int i = 0; i < 3; i++) {
        render_and_stop(js, &last, "{\"act\":\"loop\"}");
        render_and_stop(js, &last, "{\"act\":\"pattern\"}");
        expect_list(js, &last, want);
        render(js, &last, "{\"act\":\"bomb\"}");
        check(last.outcome == JS_OOM, "the bomb did not meet the heap limit");
        expect_list(js, &last, want);
        render(js, &last, "{\"act\":\"wasm\"}");
        check(last.outcome == JS_OK && strcmp(last.body, "42") == 0, "WebAssembly");
    }
    js_free(js);
}

static struct js *warm(char *want, size_t cap)
{
    struct js_options options = {.heap_bytes = HEAP_BYTES, .version = ""};
    struct js_error *error = NULL;
    struct last last;
    struct js *js;

    js_start(NULL);
    js = js_new(&options, &error);
    assert_non_null(js);
    assert_int_equal(js_load(js, bundle, sizeof bundle - 1, "bundle.js", "renderPage", &error), 0);
    for (int i = 0; i < WARM_RENDERS; i++)
        render(js, &last, "");
    assert_int_equal(last.outcome, JS_OK);
    (void)snprintf(want, cap, "%s", last.body);
    return js;
}

static void children_of_a_warm_zygote_live_on_their_own(void **state)
{
    char want[4096];
    struct js *js = warm(want, sizeof want);
    pid_t child[CHILDREN];

    assert_int_equal(js_before_fork(js), 0);
    for (int i = 0; i < CHILDREN; i++) {
        child[i] = fork();
        assert_true(child[i] >= 0);
        if (child[i] == 0) {
            live(js, want);
            _exit(0);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status = -1;
        assert_int_equal(waitpid(child[i], &status, 0), child[i]);
        assert_int_equal(status, 0);
    }
    js_free(js);
}

/* What a child renders for act, as text. */
static void ask_child(struct js *js, const char *data, char *answer, size_t cap)
{
    int pipe_fd[2], status = -1;
    ssize_t bytes;
    pid_t child;

    assert_int_equal(js_before_fork(js), 0);
    assert_int_equal(pipe(pipe_fd), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct last last;

        js_after_fork(js);
        render(js, &last, data);
        size_t length = strlen(last.body);
        _exit(write(pipe_fd[1], last.body, length) == (ssize_t)length ? 0 : 1);
    }
    (void)close(pipe_fd[1]);
    bytes = read(pipe_fd[0], answer, cap - 1);
    (void)close(pipe_fd[0]);
    assert_true(bytes > 0);
    answer[bytes] = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void children_have_random_numbers_of_their_own(void **state)
{
    char want[4096], answer[CHILDREN][128];
    struct js *js = warm(want, sizeof want);
    struct last last;

    render(js, &last, "{\"act\":\"random\"}"); /* a batch is under way in the zygote */
    for (int i = 0; i < CHILDREN; i++) {
        ask_child(js, "{\"act\":\"random\"}", answer[i], sizeof answer[i]);
        assert_string_not_equal(answer[i], last.body);
        assert_true(strncmp(answer[i], last.body, strcspn(last.body, " ")) != 0);
        for (int k = 0; k < i; k++) {
            assert_true(strncmp(answer[i], answer[k], strcspn(answer[k], " ")) != 0);
            assert_string_not_equal(strchr(answer[i], ' '), strchr(answer[k], ' '));
        }
    }
    js_free(js);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_of_a_warm_zygote_live_on_their_own),
        cmocka_unit_test(children_have_random_numbers_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
