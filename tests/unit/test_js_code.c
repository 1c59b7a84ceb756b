/* SPDX-License-Identifier: MIT */
/*
 * test_js_code.c - the compiled code of a bundle (js.h, js_code()): who loads the same bundle with it renders the same, and
 * what is not of this bundle, or not whole, is never run.
 */
#include "worker/js.h"

#include "tests/unit/js_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#define NAME "dist/server.js"
#define SCRIPT                                                                                     \
    "'use strict';\nfunction late(x) { return 'page ' + x }\nfunction fails() { throw new "        \
    "Error('why') }\nglobalThis.renderPage = (url, data) => { if (data.bad) fails(); return "      \
    "late(1) + ' ' + String(late) };"
#define SCRIPT_PAGE "page 1 function late(x) { return 'page ' + x }"
/* As long as SCRIPT. */
#define CHANGED                                                                                    \
    "'use strict';\nfunction late(x) { return 'PAGE ' + x }\nfunction fails() { throw new "        \
    "Error('why') }\nglobalThis.renderPage = (url, data) => { if (data.bad) fails(); return "      \
    "late(1) + ' ' + String(late) };"

struct code {
    void *data;
    size_t bytes;
};

/* Loads it into a fresh isolate, in *state. */
static struct bench *load_with(void **state, const char *name, const char *source,
                               const struct js_file *files, size_t count, const struct code *code)
{
    struct js_bundle bundle = {.name = name,
                               .source = source,
                               .source_bytes = strlen(source),
                               .function = "renderPage",
                               .folder = "/srv",
                               .file = files,
                               .file_count = count};
    struct js_error *error = NULL;
    struct bench *b;

    assert_int_equal(setup(state), 0);
    b = *state;
    if (code) {
        bundle.code = code->data;
        bundle.code_bytes = code->bytes;
    }
    if (js_load_bundle(b->js, &bundle, &error) != 0)
        fail_msg("%s", error->message);
    return b;
}

static void expect_use(const struct bench *b, unsigned taken, unsigned refused)
{
    struct js_code_use use = js_code_used(b->js);

    assert_int_equal(use.taken, taken);
    assert_int_equal(use.refused, refused);
}

static struct code take_code(struct bench *b)
{
    struct code code = {0};

    assert_int_equal(js_code(b->js, &code.data, &code.bytes), 0);
    assert_true(code.bytes > 0);
    return code;
}

static void expect_body(struct bench *b, const char *want)
{
    render(b);
    if (b->outcome != JS_OK)
        fail_msg("%s", b->error);
    assert_string_equal(b->body, want);
}

static struct code script_code(bool rendered)
{
    void *state = NULL;
    struct bench *b = load_with(&state, NAME, SCRIPT, NULL, 0, NULL);
    struct code code;

    expect_use(b, 0, 0);
    if (rendered)
        render(b);
    code = take_code(b);
    (void)teardown(&state);
    return code;
}

/* Before V8 is started here: children of a process that has none. The exit code is 10 * taken + refused. */
static int with_flags(const char *flags, const struct code *code)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct js_options options = {.heap_bytes = HEAP_BYTES, .without_snapshot = true};
        struct js_bundle bundle = {.name = NAME,
                                   .source = SCRIPT,
                                   .source_bytes = strlen(SCRIPT),
                                   .function = "renderPage",
                                   .code = code->data,
                                   .code_bytes = code->bytes};
        struct js *js;

        js_start(flags);
        js = js_new(&options, NULL);
        if (!js || js_load_bundle(js, &bundle, NULL) != 0)
            _exit(99);
        struct js_code_use use = js_code_used(js);
        _exit((int)(10 * use.taken + use.refused));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static struct code code_of_another_process(void)
{
    struct code code = {0};
    int ends[2], status = 0;
    char *to;
    ssize_t got;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct code made = script_code(true);
        _exit(write(ends[1], made.data, made.bytes) != (ssize_t)made.bytes);
    }
    (void)close(ends[1]);
    code.data = to = malloc(MIB);
    assert_non_null(to);
    while ((got = read(ends[0], to + code.bytes, MIB - code.bytes)) > 0)
        code.bytes += (size_t)got;
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return code;
}

static void v8_of_other_flags_compiles_for_itself(void **state)
{
    struct code code = code_of_another_process();

    (void)state;
    assert_int_equal(with_flags(NULL, &code), 10);
    assert_int_equal(with_flags("--no-opt", &code), 1);
    free(code.data);
}

static void what_has_run_is_in_it_and_is_used(void **state)
{
    struct code cold = script_code(false), warm = script_code(true);
    struct bench *b = load_with(state, NAME, SCRIPT, NULL, 0, &warm);

    assert_true(warm.bytes > cold.bytes); /* the functions that only a render calls */
    expect_use(b, 1, 0);
    expect_body(b, SCRIPT_PAGE);
    (void)teardown(state);
    free(cold.data);
    free(warm.data);
}

static void errors_stand_where_they_stood(void **state)
{
    struct code code = script_code(true);
    char stack[2][2048];

    for (int i = 0; i < 2; i++) {
        struct bench *b = load_with(state, NAME, SCRIPT, NULL, 0, i ? &code : NULL);

        render_bad(b);
        assert_string_equal(b->error, "Error: why");
        assert_string_equal(b->file, NAME);
        assert_int_equal(b->line, 3);
        (void)snprintf(stack[i], sizeof stack[i], "%s", b->stack);
        (void)teardown(state);
    }
    assert_string_equal(stack[0], stack[1]);
    assert_non_null(strstr(stack[0], "at fails (" NAME ":3:"));
    free(code.data);
}

static void a_bundle_that_changed_is_compiled(void **state)
{
    struct code code = script_code(true);
    struct bench *b;

    assert_int_equal(strlen(SCRIPT), strlen(CHANGED)); /* all that V8 itself compares */
    b = load_with(state, NAME, CHANGED, NULL, 0, &code);
    expect_use(b, 0, 0);
    expect_body(b, "PAGE 1 function late(x) { return 'PAGE ' + x }");
    (void)teardown(state);
    b = load_with(state, "dist/other.js", SCRIPT, NULL, 0,
                  &code); /* stacks would name another file */
    expect_use(b, 0, 0);
    expect_body(b, SCRIPT_PAGE);
    (void)teardown(state);
    free(code.data);
}

/* V8 10.2 trusts its bytes. Every byte of what leads to them, and of them every seventh. */
static void code_with_any_byte_changed_is_refused(void **state)
{
    struct code code = script_code(true);
    uint8_t *byte = code.data;

    for (size_t i = 0; i < code.bytes; i += i < 64 || i + 8 > code.bytes ? 1 : 199) {
        byte[i] ^= (uint8_t)(1u << i % 8);
        struct bench *b = load_with(state, NAME, SCRIPT, NULL, 0, &code);
        byte[i] ^= (uint8_t)(1u << i % 8);
        struct js_code_use use = js_code_used(b->js);
        /* between its parts there are bytes that nobody reads */
        if (use.taken + use.refused != 1 || (use.taken == 1 && byte[i] != 0))
            fail_msg("byte %zu: %u taken, %u refused", i, use.taken, use.refused);
        expect_body(b, SCRIPT_PAGE);
        (void)teardown(state);
    }
    free(code.data);
}

static void code_that_was_cut_off_is_refused(void **state)
{
    struct code code = script_code(true), cut = code;

    for (cut.bytes = 1; cut.bytes < code.bytes; cut.bytes += cut.bytes < 64 ? 1 : 397) {
        cut.data = malloc(cut.bytes); /* so that a sanitizer sees a read behind it */
        assert_non_null(cut.data);
        memcpy(cut.data, code.data, cut.bytes);
        struct bench *b = load_with(state, NAME, SCRIPT, NULL, 0, &cut);
        if (code.bytes - cut.bytes > 16) /* what fills up the last row */
            expect_use(b, 0, 1);
        expect_body(b, SCRIPT_PAGE);
        (void)teardown(state);
        free(cut.data);
    }
    cut.data = (char *)code.data + 1; /* where no row may begin */
    cut.bytes = code.bytes - 1;
    struct bench *b = load_with(state, NAME, SCRIPT, NULL, 0, &cut);
    expect_use(b, 0, 1);
    (void)teardown(state);
    free(code.data);
}

/* Two chunks with the same text, one that only a page asks for, and JSON, of which there is no code. */
#define FILE_ROW(name, text)                                                                       \
    {                                                                                              \
        name, text, sizeof(text) - 1                                                               \
    }
#define WHERE "export const where = () => new Error('x').stack.split('\\n')[1].trim();"
static const struct js_file files[] = {
    FILE_ROW("dist/a.js", WHERE),
    FILE_ROW("dist/b.js", WHERE),
    FILE_ROW("dist/data.json", "{\"n\":5}"),
    FILE_ROW("dist/lazy/c.js", "import {where} from '../a.js';"
                               "export const page = (x) => x + import.meta.url.slice(-4);"),
};
#define MODULE                                                                                     \
    "import {where as a} from './a.js'; import {where as b} from './b.js'; import data from "      \
    "'./data.json' assert {type: 'json'};\nconst n = await Promise.resolve(data.n);\nexport "      \
    "const renderPage = async () => [a(), b(), n, (await import('./lazy/c.js')).page(1)].join()"
#define MODULE_PAGE "at where (dist/a.js:1:28),at where (dist/b.js:1:28),5,1c.js"

static void modules_have_theirs_by_name(void **state)
{
    struct code code;
    struct bench *b = load_with(state, NAME, MODULE, files, array_len(files), NULL);

    expect_body(b, MODULE_PAGE);
    code = take_code(b);
    (void)teardown(state);
    b = load_with(state, NAME, MODULE, files, array_len(files), &code);
    expect_use(b, 3, 0);
    expect_body(b, MODULE_PAGE);
    expect_use(b, 4, 0); /* with the one that the page imports */
    (void)teardown(state);
    free(code.data);
}

static void realms_of_their_own_use_it_each(void **state)
{
    struct code code;
    struct bench *b;

    fixture_isolation = JS_CONTEXT;
    b = load_with(state, NAME, MODULE, files, array_len(files), NULL);
    expect_body(b, MODULE_PAGE);
    code = take_code(b);
    (void)teardown(state);
    b = load_with(state, NAME, MODULE, files, array_len(files), &code);
    expect_body(b, MODULE_PAGE);
    expect_body(b, MODULE_PAGE);
    assert_true(js_code_used(b->js).taken >= 9);
    assert_int_equal(js_code_used(b->js).refused, 0);
    (void)teardown(state);
    free(code.data);
    code = script_code(true);
    b = load_with(state, NAME, SCRIPT, NULL, 0, &code);
    expect_body(b, SCRIPT_PAGE);
    expect_body(b, SCRIPT_PAGE);
    expect_use(b, 1, 0);
    (void)teardown(state);
    fixture_isolation = JS_SHARED;
    free(code.data);
}

static void without_a_bundle_there_is_none(void **state)
{
    struct bench *b = *state;
    void *data = NULL;
    size_t bytes = 77;

    assert_int_equal(js_code(b->js, &data, &bytes), -ENOENT);
    assert_null(data);
    assert_int_equal(bytes, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            v8_of_other_flags_compiles_for_itself), /* first: V8 has not been started */
        cmocka_unit_test(what_has_run_is_in_it_and_is_used),
        cmocka_unit_test(errors_stand_where_they_stood),
        cmocka_unit_test(a_bundle_that_changed_is_compiled),
        cmocka_unit_test(code_with_any_byte_changed_is_refused),
        cmocka_unit_test(code_that_was_cut_off_is_refused),
        cmocka_unit_test(modules_have_theirs_by_name),
        cmocka_unit_test(realms_of_their_own_use_it_each),
        JS_TEST(without_a_bundle_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
