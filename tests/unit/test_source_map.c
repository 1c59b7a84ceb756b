/* SPDX-License-Identifier: MIT */
/* test_source_map.c - places of generated code in the sources: one map, and the maps of a bundle's
 * files in the errors that people read. */
#include "worker/source_map.h"
#include "worker/source_maps.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Line 1: columns 1 and 11; line 3: column 5, of the second source, and column 9, of none. */
#define MAPPINGS "AAEI,UACJ;;ICFA,I"
#define MAP                                                                                        \
    "{\"version\":3,\"sourceRoot\":\"\",\"sources\":[\"../src/a.ts\",\"webpack://x/b.js\"],"       \
    "\"sourcesContent\":[\"one\\ntwo\\n    throw "                                                 \
    "three\\r\\nfour\\nfive\",null],\"mappings\":\"" MAPPINGS "\"}"

static struct source_map *map_with(const char *json)
{
    struct source_map *map = NULL;

    assert_int_equal(source_map_new(json, strlen(json), &map), 0);
    return map;
}

static void expect(const struct source_map *map, uint32_t line, uint32_t column, const char *want)
{
    struct source_place place = {.line = line, .column = column};
    char text[128] = "none";

    source_map_find(map, &place, 1);
    if (place.line > 0)
        (void)snprintf(text, sizeof text, "%s:%u:%u%s", place.source, place.line, place.column,
                       place.content ? "" : " without text");
    assert_string_equal(text, want);
}

static void a_place_belongs_to_the_segment_before_it(void **state)
{
    struct source_map *map = map_with(MAP);

    (void)state;
    expect(map, 1, 1, "../src/a.ts:3:5");
    expect(map, 1, 10, "../src/a.ts:3:5");
    expect(map, 1, 11, "../src/a.ts:4:1");
    expect(map, 1, 999, "../src/a.ts:4:1");
    expect(map, 2, 1, "none");
    expect(map, 3, 4, "none");
    expect(map, 3, 5, "webpack://x/b.js:2:1 without text");
    expect(map, 3, 9, "none");
    source_map_free(map);
}

static void lines_sources_and_ends_are_followed(void **state)
{
    struct source_map *map =
        map_with("{\"version\":3,\"sourceRoot\":\"/root\",\"sources\":[\"a\",null],\"mappings\":"
                 "\"AAAA,SAASA;;EACE,gBAAgB;GCF5B,M\"}");

    (void)state;
    expect(map, 1, 1, "/root/a:1:1 without text");
    expect(map, 1, 9, "/root/a:1:1 without text");
    expect(map, 1, 10, "/root/a:1:10 without text");
    expect(map, 2, 1, "none");
    expect(map, 3, 2, "none");
    expect(map, 3, 3, "/root/a:2:12 without text");
    expect(map, 3, 19, "/root/a:2:28 without text");
    expect(map, 4, 4, "none"); /* its first line is above the source */
    expect(map, 9, 1, "none");
    source_map_free(map);
}

static void what_is_no_map_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"version\":2,\"sources\":[],\"mappings\":\"\"}",
        "{\"version\":3,\"sources\":[]}",
        "{\"version\":3,\"sources\":{},\"mappings\":\"\"}",
        "{\"version\":3,\"sections\":[]}",
    };
    struct source_map *map = NULL;

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++)
        assert_int_equal(source_map_new(bad[i], strlen(bad[i]), &map), -EINVAL);
    assert_null(map);
}

static void numbers_out_of_range_find_nothing(void **state)
{
    struct source_map *map =
        map_with("{\"version\":3,\"sources\":[\"a\"],\"mappings\":\"AC/////////AA,CAD,!?,AAAA\"}");

    (void)state;
    expect(map, 1, 1, "none");
    expect(map, 1, UINT32_MAX, "none");
    source_map_free(map);
}

/* ---- the maps of a bundle ---- */

static char part[] = "{\"version\":3,\"sources\":[\"../../src/part.ts\"],\"mappings\":\"AAAA\"}";
static char part_code[] = "x\n//# sourceMappingURL=maps/p.map\n";
static const struct heritage_file files[] = {
    {(char *)"dist/maps/p.map", part, sizeof part - 1},
    {(char *)"dist/part one.js", part_code, sizeof part_code - 1},
    {(char *)"dist/plain.js", (char *)"x", 1},
    {(char *)"dist/server.js.map", (char *)MAP, sizeof MAP - 1},
};

static int open_maps(void **state)
{
    static const struct heritage heritage = {
        .bundle = "globalThis.x = 1",
        .bundle_bytes = 16,
        .bundle_name = "./dist/server.js",
        .file = files,
        .file_count = array_len(files),
    };

    (void)state;
    source_maps_open(&heritage);
    return 0;
}

static int close_maps(void **state)
{
    (void)state;
    source_maps_close();
    return 0;
}

static void expect_text(const char *text, const char *want)
{
    autofree char *told = source_maps_text(text, strlen(text));

    assert_string_equal(told ? told : "NULL", want);
}

static void stacks_are_told_in_places_of_the_sources(void **state)
{
    (void)state;
    expect_text("Error: x\n    at f (dist/server.js:1:3)\n    at async dist/server.js:1:2\n"
                "    at g (dist/part one.js:1:1), ./dist/server.js:1:1",
                "Error: x\n    at f (src/a.ts:3:5)\n    at async src/a.ts:3:5\n"
                "    at g (src/part.ts:1:1), src/a.ts:3:5");
    expect_text("    at (dist/plain.js:1:1)", "NULL");
    expect_text("    at (other.js:1:1) 12:30:15", "NULL");
    expect_text("dist/server.js:1:1", "src/a.ts:3:5");
    expect_text("dist/server.js:77:1", "dist/server.js:77:1");
    expect_text("dist/server.js:1:", "NULL");
    expect_text(":1:1", "NULL");
}

static char *text_of(const char *text)
{
    char *copy = strdup(text);

    assert_non_null(copy);
    return copy;
}

static void an_error_gets_the_line_and_a_frame(void **state)
{
    struct js_error error = {
        .message = text_of("Error: three"),
        .file = text_of("dist/server.js"),
        .line = 1,
        .column = 2,
        .source = text_of("globalThis.x = 1"),
        .stack = text_of("Error: three\n    at dist/server.js:1:2"),
        .hint = text_of(""),
        .frame = text_of(""),
    };

    (void)state;
    source_maps_error(&error);
    assert_string_equal(error.file, "src/a.ts");
    assert_int_equal(error.line, 3);
    assert_int_equal(error.column, 5);
    assert_string_equal(error.source, "    throw three");
    assert_string_equal(error.stack, "Error: three\n    at src/a.ts:3:5");
    assert_string_equal(error.frame, "      1 | one\n"
                                     "      2 | two\n"
                                     ">     3 |     throw three\n"
                                     "        |     ^\n"
                                     "      4 | four\n"
                                     "      5 | five");
    free(error.message);
    free(error.file);
    free(error.source);
    free(error.stack);
    free(error.hint);
    free(error.frame);
}

static void a_map_in_the_file_itself_is_read(void **state)
{
    /* {"version":3,"sources":["in.ts"],"mappings":"AAAA"} */
    static const char code[] =
        "x\n//# sourceMappingURL=lost.map\n//# sourceMappingURL=data:application/json;base64,"
        "eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpbImluLnRzIl0sIm1hcHBpbmdzIjoiQUFBQSJ9\n";
    static struct heritage heritage = {
        .bundle = code, .bundle_bytes = sizeof code - 1, .bundle_name = "d/s.js"};

    (void)state;
    source_maps_open(&heritage);
    expect_text("at d/s.js:1:1", "at d/in.ts:1:1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_belongs_to_the_segment_before_it),
        cmocka_unit_test(lines_sources_and_ends_are_followed),
        cmocka_unit_test(what_is_no_map_is_refused),
        cmocka_unit_test(numbers_out_of_range_find_nothing),
        cmocka_unit_test_setup_teardown(stacks_are_told_in_places_of_the_sources, open_maps,
                                        close_maps),
        cmocka_unit_test_setup_teardown(an_error_gets_the_line_and_a_frame, open_maps, close_maps),
        cmocka_unit_test_setup_teardown(a_map_in_the_file_itself_is_read, open_maps, close_maps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
