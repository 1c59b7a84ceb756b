/* SPDX-License-Identifier: MIT */
/*
 * test_autopsy.c - where JavaScript stands that nothing can stop. It never returns, so it runs in a child, whose other
 * thread tells what it has found out.
 */
#include "worker/autopsy.h"

#include "shm/base.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAP_BYTES (64 * MIB)
#define PATIENCE_MS 60000u

static const char bundle[] = "const needle = 'a'.repeat(1 << 21) + 'b';\n"
                             "const hay = 'a'.repeat(1 << 22);\n"
                             "const search = () => {\n"
                             "  console.log('begins');\n"
                             "  return hay.lastIndexOf(needle);\n"
                             "};\n"
                             "globalThis.renderPage = () =>\n"
                             "  String([1].map(search));\n";

struct scene {
    struct js *js;
    _Atomic bool begun;
    int fd;
};

static void on_console(void *arg, enum js_console level, const char *text, size_t bytes)
{
    struct scene *s = arg;

    (void)level;
    (void)text;
    (void)bytes;
    atomic_store_explicit(&s->begun, true, memory_order_relaxed);
}

static void on_done(void *arg, const struct js_result *result)
{
    (void)arg;
    (void)result;
}

static void meanwhile(void *arg)
{
    (void)arg;
}

/* The last line of the console and the built-in are some instructions apart, in machine code: once more, then. */
static void *look(void *arg)
{
    struct scene *s = arg;
    struct js_error *error = NULL;

    while (!atomic_load_explicit(&s->begun, memory_order_relaxed))
        (void)usleep(1000);
    do {
        js_error_free(error);
        error = autopsy(s->js, "it hangs", PATIENCE_MS, meanwhile, s);
    } while (error && *error->stack == '\0');
    if (error)
        (void)dprintf(s->fd, "%s|%s:%u|%s", error->message, error->file, error->line, error->stack);
    _exit(0);
}

static void hang(int fd, const char *url, void *(*other)(void *))
{
    static struct scene scene;
    struct js_options options = {
        .heap_bytes = HEAP_BYTES, .console = on_console, .arg = &scene, .version = "test"};
    struct js_request request = {
        .url = url, .url_bytes = strlen(url), .method = "GET", .method_bytes = 3};
    pthread_t thread;

    js_start(NULL);
    scene.fd = fd;
    scene.js = js_new(&options, NULL);
    if (!scene.js ||
        js_load(scene.js, bundle, sizeof bundle - 1, "bundle.js", "renderPage", NULL) ||
        pthread_create(&thread, NULL, other, &scene) != 0)
        _exit(1);
    (void)js_render(scene.js, &request, on_done, NULL);
    _exit(2);
}

static void told(const char *url, void *(*other)(void *), char *text, size_t cap)
{
    int pair[2], status;
    size_t used = 0;
    ssize_t got;
    pid_t pid;

    assert_int_equal(pipe(pair), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        hang(pair[1], url, other);
    (void)close(pair[1]);
    while ((got = read(pair[0], text + used, cap - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = '\0';
    (void)close(pair[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_built_in_that_does_not_end_is_told_with_who_called_it(void **state)
{
    char text[4096];

    (void)state;
    told("/", look, text, sizeof text);
    assert_memory_equal(text, "it hangs|bundle.js:5|    at search (bundle.js:5:14)\n", 50);
    assert_non_null(strstr(text, "renderPage (bundle.js:8:"));
    assert_null(strstr(text, "ssr:"));
}

/* A copy that is stopped, by whatever: its parent gives up, and has turned the loop all the while. */
static void *look_for_a_moment(void *arg)
{
    struct scene *s = arg;

    while (!atomic_load_explicit(&s->begun, memory_order_relaxed))
        (void)usleep(1000);
    js_error_free(autopsy(s->js, "it hangs", 0, meanwhile, s));
    (void)dprintf(s->fd, "gave up");
    _exit(0);
}

static void without_time_it_is_given_up(void **state)
{
    char text[4096];

    (void)state;
    told("/", look_for_a_moment, text, sizeof text);
    assert_string_equal(text, "gave up");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_built_in_that_does_not_end_is_told_with_who_called_it),
        cmocka_unit_test(without_time_it_is_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
