/* SPDX-License-Identifier: MIT */
/* test_bundle_needs.c - worker/bundle_needs.h */
#include "worker/bundle_needs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void a_reference_error_of_a_browsers_name_is_known(void **state)
{
    size_t bytes = 0;
    const char *name = bundle_needs_browser("ReferenceError: window is not defined", &bytes);

    (void)state;
    assert_non_null(name);
    assert_int_equal(bytes, 6);
    assert_memory_equal(name, "window", 6);
    assert_non_null(bundle_needs_browser("ReferenceError: HTMLDivElement is not defined", &bytes));
    assert_null(bundle_needs_browser("ReferenceError: windows is not defined", &bytes));
    assert_null(bundle_needs_browser("ReferenceError: HTML is not defined", &bytes));
    assert_null(bundle_needs_browser("TypeError: window is not defined", &bytes));
    assert_null(bundle_needs_browser("ReferenceError: window is not defined here", &bytes));
    assert_null(bundle_needs_browser("", &bytes));
    assert_int_equal(bytes, 14);
}

static void a_type_error_may_come_of_half_a_browser(void **state)
{
    (void)state;
    assert_true(bundle_may_need_browser(
        "TypeError: Cannot read properties of undefined (reading 'indexOf')"));
    assert_false(bundle_may_need_browser("SyntaxError: Unexpected token"));
    assert_true(bundle_mentions_browser("x = navigator.platform", 22));
    assert_true(bundle_mentions_browser("typeof document", 15));
    assert_false(bundle_mentions_browser("typeof documents", 13));
    assert_false(bundle_mentions_browser("navigator", 9));
}

static void methods_of_collections_are_found_in_a_text(void **state)
{
    (void)state;
    assert_true(bundle_needs_collections("a.union(b)", 10));
    assert_true(bundle_needs_collections("x getOrInsertComputed", 21));
    assert_false(bundle_needs_collections("a.union (b)", 7));
    assert_false(bundle_needs_collections("", 0));
}

static bool sets_location(const char *text)
{
    return bundle_sets_location(text, strlen(text));
}

static void a_text_that_sets_the_location_of_a_global_object_is_found(void **state)
{
    (void)state;
    assert_true(sets_location("globalThis.location={}"));
    assert_true(sets_location("x; globalThis.location  = {};"));
    assert_true(sets_location("if (location.x) self.location = y"));
    assert_false(sets_location("globalThis.location == 1"));
    assert_false(sets_location("props.location = 1"));
    assert_false(sets_location("globalThis.location.href = 1"));
    assert_false(sets_location("globalThis.location ="));
    assert_false(sets_location("location = 1"));
    assert_false(sets_location(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reference_error_of_a_browsers_name_is_known),
        cmocka_unit_test(a_type_error_may_come_of_half_a_browser),
        cmocka_unit_test(methods_of_collections_are_found_in_a_text),
        cmocka_unit_test(a_text_that_sets_the_location_of_a_global_object_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
