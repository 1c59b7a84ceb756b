/* SPDX-License-Identifier: MIT */
/* test_js_form_data.c - bodies that hold forms (polyfills/form_data.js): what is one, and what it says. */
#include "tests/unit/js_fixture.h"

/* read(disposition): what a part with that Content-Disposition is; body(text): of a whole body; in JSON, "" when refused. */
#define BUNDLE                                                                                     \
    "globalThis.show = (form) => JSON.stringify([...form].map(([name, value]) => typeof value "    \
    "=== "                                                                                         \
    "'string' ? [name, value] : [name, value.name, value.type, value.size]));"                     \
    "globalThis.body = (text, type = 'multipart/form-data; boundary=b') => new Response(text, "    \
    "{headers: {'content-type': type}}).formData().then(show, (error) => { "                       \
    "if (!(error instanceof TypeError)) throw error; return ''; });"                               \
    "globalThis.read = (text) => body('--b\\r\\nContent-Disposition: ' + text + '\\r\\n\\r\\nv"    \
    "\\r\\n--b--\\r\\n');"

struct row {
    const char *given; /* in JavaScript */
    const char *wanted;
};

static void check(struct bench *b, const char *function, const struct row *row, size_t count)
{
    char source[4096];

    for (size_t i = 0; i < count; i++) {
        (void)snprintf(source, sizeof source,
                       BUNDLE "globalThis.renderPage = async () => await %s(%s);", function,
                       row[i].given);
        load(b, source);
        render(b);
        if (b->outcome != JS_OK)
            fail_msg("%s: %s", row[i].given, b->error);
        if (strcmp(b->body, row[i].wanted) != 0)
            fail_msg("%s is %s, not %s", row[i].given, b->body, row[i].wanted);
    }
}

static void parameters_are_read_one_behind_the_other(void **state)
{
    static const struct row rows[] = {
        {"'form-data; name=\"a\"'", "[[\"a\",\"v\"]]"},
        {"'form-data; name=\"\"'", "[[\"\",\"v\"]]"},
        {"'Form-Data;NAME=\"a\";filename=\"f\"'", "[[\"a\",\"f\",\"text/plain\",1]]"},
        {"'form-data ; filename = f ; name = a ; '", "[[\"a\",\"f\",\"text/plain\",1]]"},
        {"'form-data; name=\"a\"; filename*=UTF-8\\'\\'x'", "[[\"a\",\"v\"]]"},
        {"'form-data; name=\"a\"; name=\"b\"'", "[[\"a\",\"v\"]]"},
        {"'form-data; name=\"%22%0d%0A%41\"'", "[[\"\\\"\\r\\n%41\",\"v\"]]"},
        /* nothing within a value is a parameter */
        {"'form-data; name=\"a; filename=x\"'", "[[\"a; filename=x\",\"v\"]]"},
        {"'form-data; filename=\"x; name=evil\"; name=\"a\"'",
         "[[\"a\",\"x; name=evil\",\"text/plain\",1]]"},
        /* "\" is itself */
        {"'form-data; name=\"a\\\\\"'", "[[\"a\\\\\",\"v\"]]"},
        {"'form-data; name=\"a\"; filename=\"C:\\\\d\\\\\"'",
         "[[\"a\",\"C:\\\\d\\\\\",\"text/plain\",1]]"},
        {"'form-data; name=\"a\\\\\"b\"'", ""},
        {"'form-data'", ""},
        {"'form-data; filename=\"a\"'", ""},
        {"'form-data; name=\"a'", ""},
        {"'form-data; name=\"a\" b'", ""},
        {"'form-data; name=\"a\"b=c'", ""},
        {"'form-datax; name=\"a\"'", ""},
        {"'attachment; name=\"a\"'", ""},
        {"'form-data;\\r\\n name=\"a\"'", ""},
        {"'form-data; name=\"a\"\\r\\nContent-Type: a/b ; c=d '", "[[\"a\",\"v\"]]"},
        {"'form-data; name=\"a\"; filename=f\\r\\nContent-Type: A/b'", "[[\"a\",\"f\",\"a/b\",1]]"},
        {"'form-data; name=\"a\"\\r\\nno field'", ""},
        {"'form-data; name=\"a\"\\r\\n: x'", ""},
        {"'form-data; name=\"a\"\\r\\n--b\\r\\nContent-Disposition: form-data; name=\"c\"'", ""},
    };

    check(*state, "read", rows, array_len(rows));
}

#define PART "Content-Disposition: form-data; name=\"a\"\\r\\n\\r\\n"

static void parts_lie_between_boundaries(void **state)
{
    static const struct row rows[] = {
        {"'--b--'", "[]"},
        {"'--b\\r\\n" PART "\\r\\n--b--'", "[[\"a\",\"\"]]"},
        {"'--b\\r\\n" PART "1\\r\\n--b\\r\\n" PART "\\r\\n--c\\r\\n\\r\\n--b--rest'",
         "[[\"a\",\"1\"],[\"a\",\"\\r\\n--c\\r\\n\"]]"},
        {"'before\\r\\n--b\\r\\n" PART "v\\r\\n--b--'", "[[\"a\",\"v\"]]"},
        {"''", ""},
        {"'--b'", ""},
        {"'before--b--'", ""},
        {"'--b\\r\\n" PART "--b--'", ""}, /* no line end before the boundary */
        {"'--b\\r\\n" PART "v\\r\\n--b\\r\\n'", ""},
        {"'--b\\n" PART "v\\r\\n--b--'", ""},
        {"'--b \\r\\n" PART "v\\r\\n--b--'", ""},
        {"'--bb\\r\\n" PART "v\\r\\n--b--'", ""},
        {"'--b--', 'multipart/form-data'", ""},
        {"'--b--', 'multipart/form-data; boundary='", ""},
        {"'--b--', 'Multipart/Form-Data; charset=\"; boundary=c\"; Boundary=\"b\"'", "[]"},
        {"'--' + 'b'.repeat(70) + '--', 'multipart/form-data; boundary=' + "
         "'b'.repeat(70)",
         "[]"},
        /* no body takes the time of its length times that of its boundary */
        {"'--' + 'b'.repeat(71) + '--', 'multipart/form-data; boundary=' + "
         "'b'.repeat(71)",
         ""},
        {"'-'.repeat(1e6), 'multipart/form-data; boundary=' + '-'.repeat(8000) + "
         "'x'",
         ""},
        {"'a=1&a=%32+3&%FF', 'application/x-www-form-urlencoded; charset=utf-8'",
         "[[\"a\",\"1\"],[\"a\",\"2 3\"],[\"\xef\xbf\xbd\",\"\"]]"},
        {"'\\ufeffa=\\u00e4&b=+', 'application/x-www-form-urlencoded'",
         "[[\"\357\273\277a\",\"\303\244\"],[\"b\",\" \"]]"},
        {"Uint8Array.of(0x25, 0x43, 0x33, 0xa4), "
         "'application/x-www-form-urlencoded'", /* %C3 and a byte */
         "[[\"\xc3\xa4\",\"\"]]"},
        {"'?a=1&&?b', 'application/x-www-form-urlencoded'", "[[\"?a\",\"1\"],[\"?b\",\"\"]]"},
        {"'a=1', 'text/plain'", ""},
    };

    check(*state, "body", rows, array_len(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JS_TEST(parameters_are_read_one_behind_the_other),
        JS_TEST(parts_lie_between_boundaries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
