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

static void methods_of_collections_are_found_in_a_text(void **state)
{
    (void)state;
    assert_true(bundle_needs_collections("a.union(b)", 10));
    assert_true(bundle_needs_collections("x getOrInsertComputed", 21));
    assert_false(bundle_needs_collections("a.union (b)", 7));
    assert_false(bundle_needs_collections("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reference_error_of_a_browsers_name_is_known),
        cmocka_unit_test(methods_of_collections_are_found_in_a_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
