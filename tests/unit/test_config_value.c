/* SPDX-License-Identifier: MIT */
/* test_config_value.c - durations, sizes, addresses, ${NAME} and the words for messages. */
#include "master/config_value.h"

#include "shm/base.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void check_duration(const char *text, uint64_t wanted_us)
{
    uint64_t us = 77;

    assert_int_equal(config_value_duration(text, &us), 0);
    assert_int_equal(us, wanted_us);
}

static void durations_have_units_fractions_and_bare_seconds(void **state)
{
    check_duration("250ms", 250000);
    check_duration("5s", 5000000);
    check_duration("10m", 600000000);
    check_duration("1h", 3600000000);
    check_duration("1d", 86400000000);
    check_duration("1y", 31536000000000);
    check_duration("100us", 100);
    check_duration("0", 0);
    check_duration("30", 30000000);
    check_duration("1.5", 1500000);
    check_duration("0.5s", 500000);
    check_duration("0.25m", 15000000);
    check_duration("1h30m", 5400000000);
    check_duration("1m0.5s", 60500000);
}

static void durations_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {"",     "s",        "5 s",  "-5s", "5x",   "5S",
                                      "1h30", ".5s",      "5.s",  "1e3", "0x10", "+5",
                                      "5s ",  "0.0001ms", "1,5s", "5ss", "inf"};

    for (size_t i = 0; i < array_len(bad); i++) {
        uint64_t us = 77;

        assert_int_equal(config_value_duration(bad[i], &us), -EINVAL);
        assert_int_equal(us, 77);
    }
}

static void numbers_above_64_bits_are_out_of_range(void **state)
{
    uint64_t value = 77;

    assert_int_equal(config_value_count("18446744073709551615", &value), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(config_value_count("18446744073709551616", &value), -ERANGE);
    assert_int_equal(config_value_duration("18446744073709551615s", &value), -ERANGE);
    assert_int_equal(config_value_duration("500000y500000y", &value), -ERANGE);
    assert_int_equal(config_value_size("16777216TiB", &value), -ERANGE);
    assert_true(value == UINT64_MAX);
}

static void sizes_are_powers_of_1024(void **state)
{
    uint64_t bytes = 0;

    assert_int_equal(config_value_size("64KiB", &bytes), 0);
    assert_int_equal(bytes, 65536);
    assert_int_equal(config_value_size("16MiB", &bytes), 0);
    assert_int_equal(bytes, 16 * MIB);
    assert_int_equal(config_value_size("1GiB", &bytes), 0);
    assert_int_equal(bytes, GIB);
    assert_int_equal(config_value_size("1.5KiB", &bytes), 0);
    assert_int_equal(bytes, 1536);
    assert_int_equal(config_value_size("1000", &bytes), 0);
    assert_int_equal(bytes, 1000);
    assert_int_equal(config_value_size("16MB", &bytes), -EINVAL);
    assert_int_equal(config_value_size("16m", &bytes), -EINVAL);
    assert_int_equal(config_value_size("1MiB1KiB", &bytes), -EINVAL);
    assert_int_equal(config_value_size("-1", &bytes), -EINVAL);
}

static void booleans_are_those_of_yaml_1_1(void **state)
{
    bool value = false;

    assert_int_equal(config_value_bool("On", &value), 0);
    assert_true(value);
    assert_int_equal(config_value_bool("no", &value), 0);
    assert_false(value);
    assert_int_equal(config_value_bool("oN", &value), -EINVAL);
    assert_int_equal(config_value_bool("1", &value), -EINVAL);
}

static void fractions_are_decimal(void **state)
{
    double value = 0;

    assert_int_equal(config_value_fraction("0.1", &value), 0);
    assert_true(value == 0.1);
    assert_int_equal(config_value_fraction("0", &value), 0);
    assert_int_equal(config_value_fraction(".25", &value), 0);
    assert_true(value == 0.25);
    assert_int_equal(config_value_fraction(".", &value), -EINVAL);
    assert_int_equal(config_value_fraction("nan", &value), -EINVAL);
    assert_int_equal(config_value_fraction("-0.1", &value), -EINVAL);
    assert_int_equal(config_value_fraction("1e-1", &value), -EINVAL);
}

static void values_are_written_as_they_are_read(void **state)
{
    static const uint64_t us[] = {0, 1, 1000, 1500000, 5400000000, 31536000000000, 90061001001};
    static const uint64_t bytes[] = {0, 1, 1023, 1024, 1536, 16 * MIB, GIB, 3 * (GIB << 10)};
    char text[CONFIG_FORMAT_BYTES];

    for (size_t i = 0; i < array_len(us); i++)
        check_duration(config_value_format_us(us[i], text), us[i]);
    for (size_t i = 0; i < array_len(bytes); i++) {
        uint64_t back = 77;

        assert_int_equal(config_value_size(config_value_format_bytes(bytes[i], text), &back), 0);
        assert_int_equal(back, bytes[i]);
    }
    assert_string_equal(config_value_format_us(5400000000, text), "1h30m");
    assert_string_equal(config_value_format_bytes(16 * MIB, text), "16MiB");
}

static void addresses_of_all_kinds_are_taken(void **state)
{
    static const char *const good[] = {
        "127.0.0.1:8080", "localhost:0", "example.org:65535", "[::]:80",       "[fe80::1]:8080",
        "unix:/run/x",    "systemd",     "0.0.0.0:80",        "unix:./x.sock",
    };
    char why[CONFIG_WHY_BYTES];

    for (size_t i = 0; i < array_len(good); i++)
        assert_int_equal(config_value_address(good[i], why), 0);
}

static void addresses_that_are_none_say_what_to_write(void **state)
{
    static const char *const bad[][2] = {
        {"8080", "write 127.0.0.1:8080"},
        {":8080", "write 127.0.0.1:8080"},
        {"*:80", "0.0.0.0:80"},
        {"127.0.0.1", "the port is missing"},
        {"127.0.0.1:x", "the port must"},
        {"127.0.0.1:65536", "the port must"},
        {"127.0.0.1:", "the port must"},
        {"999.0.0.1:80", "not an IPv4 address"},
        {"::1", "[::1]:8080"},
        {"[::1]", "wanted"},
        {"[x]:80", "not an IPv6 address"},
        {"/run/x", "unix:/run/x"},
        {"unix:", "a path follows"},
        {"http://a:80", "not a URL"},
        {"", "the port is missing"},
        {"a b:80", "no host name has"},
        {"[::]:", "the port must"},
        {"[", "wanted"},
    };
    char why[CONFIG_WHY_BYTES];

    for (size_t i = 0; i < array_len(bad); i++) {
        assert_int_equal(config_value_address(bad[i][0], why), -EINVAL);
        if (!strstr(why, bad[i][1]))
            fail_msg("%s: %s, without: %s", bad[i][0], why, bad[i][1]);
    }
}

static void long_addresses_are_refused(void **state)
{
    char text[1000];
    char why[CONFIG_WHY_BYTES];

    memset(text, 'a', sizeof text);
    strcpy(text + 990, ":80");
    assert_int_equal(config_value_address(text, why), -EINVAL);
    memcpy(text, "unix:/", 6);
    assert_int_equal(config_value_address(text, why), -EINVAL);
    text[0] = '[';
    strcpy(text + 990, "]:80");
    assert_int_equal(config_value_address(text, why), -EINVAL);
}

static void check_expand(const char *text, const char *wanted)
{
    char name[CONFIG_SHOW_BYTES];
    char *out = NULL;

    assert_int_equal(config_value_expand(text, &out, name), 0);
    assert_string_equal(out, wanted);
    free(out);
}

static void names_are_replaced_from_the_environment(void **state)
{
    assert_int_equal(setenv("SSRD_TEST_A", "va", 1), 0);
    assert_int_equal(setenv("SSRD_TEST_EMPTY", "", 1), 0);
    assert_int_equal(unsetenv("SSRD_TEST_NONE"), 0);
    check_expand("plain $ and $5", "plain $ and $5");
    check_expand("${SSRD_TEST_A}", "va");
    check_expand("x${SSRD_TEST_A}y${SSRD_TEST_A}", "xvayva");
    check_expand("${SSRD_TEST_NONE:-5s}", "5s");
    check_expand("${SSRD_TEST_EMPTY:-5s}", "5s");
    check_expand("${SSRD_TEST_EMPTY}", "");
    check_expand("${SSRD_TEST_A:-5s}", "va");
    check_expand("${SSRD_TEST_NONE:-}", "");
    check_expand("$${SSRD_TEST_A}", "${SSRD_TEST_A}");
}

static void what_a_variable_holds_is_not_looked_at_again(void **state)
{
    assert_int_equal(setenv("SSRD_TEST_A", "${SSRD_TEST_B}", 1), 0);
    check_expand("${SSRD_TEST_A}", "${SSRD_TEST_B}");
}

static void names_that_are_not_set_or_not_names_are_errors(void **state)
{
    char name[CONFIG_SHOW_BYTES];
    char *out = NULL;

    assert_int_equal(unsetenv("SSRD_TEST_NONE"), 0);
    assert_int_equal(config_value_expand("a ${SSRD_TEST_NONE}", &out, name), -ENOENT);
    assert_string_equal(name, "SSRD_TEST_NONE");
    assert_int_equal(config_value_expand("${SSRD_TEST_NONE", &out, name), -EINVAL);
    assert_int_equal(config_value_expand("${}", &out, name), -EINVAL);
    assert_int_equal(config_value_expand("${1A}", &out, name), -EINVAL);
    assert_int_equal(config_value_expand("${A B}", &out, name), -EINVAL);
    assert_int_equal(config_value_expand("${A-b}", &out, name), -EINVAL);
    assert_null(out);
}

static void foreign_text_is_shown_cut_and_harmless(void **state)
{
    char out[CONFIG_SHOW_BYTES];
    char huge[500];

    assert_string_equal(config_value_show("a\x1b[1m\n\xff ü", out), "a?[1m?? ü");
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    (void)config_value_show(huge, out);
    assert_true(strlen(out) < sizeof out);
    assert_string_equal(out + strlen(out) - 3, "…");
}

static void distance_counts_keystrokes(void **state)
{
    assert_int_equal(config_value_distance("ttl", "ttl"), 0);
    assert_int_equal(config_value_distance("tll", "ttl"), 1);
    assert_int_equal(config_value_distance("headres", "headers"), 1); /* neighbours swapped */
    assert_int_equal(config_value_distance("", "abc"), 3);
    assert_int_equal(config_value_distance("abc", ""), 3);
    assert_true(config_value_distance("a234567890123456789012345678901234567890x", "a") ==
                SIZE_MAX);
}

static void names_and_values_of_headers_are_checked(void **state)
{
    assert_true(config_value_is_token("x-frame-options"));
    assert_false(config_value_is_token(""));
    assert_false(config_value_is_token("a b"));
    assert_false(config_value_is_token("a:"));
    assert_true(config_value_is_header("max-age=1; x"));
    assert_true(config_value_is_header(""));
    assert_false(config_value_is_header("a\r\nb: c"));
    assert_false(config_value_is_header(" a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_units_fractions_and_bare_seconds),
        cmocka_unit_test(durations_that_are_none_are_refused),
        cmocka_unit_test(numbers_above_64_bits_are_out_of_range),
        cmocka_unit_test(sizes_are_powers_of_1024),
        cmocka_unit_test(booleans_are_those_of_yaml_1_1),
        cmocka_unit_test(fractions_are_decimal),
        cmocka_unit_test(values_are_written_as_they_are_read),
        cmocka_unit_test(addresses_of_all_kinds_are_taken),
        cmocka_unit_test(addresses_that_are_none_say_what_to_write),
        cmocka_unit_test(long_addresses_are_refused),
        cmocka_unit_test(names_are_replaced_from_the_environment),
        cmocka_unit_test(what_a_variable_holds_is_not_looked_at_again),
        cmocka_unit_test(names_that_are_not_set_or_not_names_are_errors),
        cmocka_unit_test(foreign_text_is_shown_cut_and_harmless),
        cmocka_unit_test(distance_counts_keystrokes),
        cmocka_unit_test(names_and_values_of_headers_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
