/* SPDX-License-Identifier: MIT */
/* test_nonce.c - marks in text, whole and in parts, and what stands there in an answer. */
#include "worker/nonce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MARK "0123456789abcdef0123456789abcdef"
#define NONCE "NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNN"

static void every_mark_of_a_text_becomes_the_nonce(void **state)
{
    char text[] = "a" MARK MARK "b 0123 " MARK;

    (void)state;
    nonce_put(text, strlen(text), MARK, NONCE);
    assert_string_equal(text, "a" NONCE NONCE "b 0123 " NONCE);
    assert_false(nonce_has_mark((struct span){text, strlen(text)}, MARK));
    assert_true(nonce_has_mark((struct span){"-" MARK, 33}, MARK));
    assert_false(nonce_has_mark((struct span){"anything", 8}, "")); /* no randomness: no mark */
    assert_false(nonce_has_mark((struct span){NULL, 0}, MARK));
}

/* Parts of `step` bytes, the first of `first`; what comes out, put together. */
static void in_parts(const char *text, size_t first, size_t step, char *out)
{
    struct nonce_stream s = {.mark = MARK};
    size_t bytes = strlen(text);
    size_t used = 0;
    struct span part;

    memcpy(s.nonce, NONCE, HERITAGE_NONCE_BYTES);
    for (size_t at = 0, n = first; at < bytes; at += n, n = step) {
        if (n > bytes - at)
            n = bytes - at;
        assert_true(nonce_stream_add(&s, (struct span){text + at, n}, false, &part));
        assert_true(part.bytes + s.held_bytes <= n + HERITAGE_NONCE_BYTES);
        memcpy(out + used, part.data, part.bytes);
        used += part.bytes;
    }
    assert_true(nonce_stream_add(&s, (struct span){NULL, 0}, true, &part));
    memcpy(out + used, part.data, part.bytes);
    out[used + part.bytes] = '\0';
    nonce_stream_done(&s);
}

static void a_mark_may_lie_across_parts_wherever_they_are_cut(void **state)
{
    static const char text[] = "<p>01 " MARK "</p>0" MARK MARK "0123456789abcdef tail 0123456789";
    static const char wanted[] =
        "<p>01 " NONCE "</p>0" NONCE NONCE "0123456789abcdef tail 0123456789";
    char out[sizeof text + 64];

    (void)state;
    for (size_t first = 1; first < sizeof text; first++)
        for (size_t step = 1; step < sizeof text; step++) {
            in_parts(text, first, step, out);
            assert_string_equal(out, wanted);
        }
}

static void what_can_begin_no_mark_does_not_wait(void **state)
{
    struct nonce_stream s = {.mark = MARK};
    struct span part;

    (void)state;
    memcpy(s.nonce, NONCE, HERITAGE_NONCE_BYTES);
    assert_true(nonce_stream_add(&s, (struct span){"<p>shell</p>", 12}, false, &part));
    assert_int_equal(part.bytes, 12);
    assert_true(nonce_stream_add(&s, (struct span){"x012", 4}, false, &part));
    assert_int_equal(part.bytes, 1);
    assert_true(nonce_stream_add(&s, (struct span){"!", 1}, false, &part));
    assert_memory_equal(part.data, "012!", 4);
    nonce_stream_done(&s);
}

static void without_a_mark_parts_pass_untouched(void **state)
{
    struct nonce_stream s = {.mark = NULL};
    static const char text[] = "x" MARK;
    struct span part;

    (void)state;
    assert_true(nonce_stream_add(&s, (struct span){text, 33}, false, &part));
    assert_ptr_equal(part.data, text);
    assert_int_equal(part.bytes, 33);
    nonce_stream_done(&s);
}

static void nonces_differ_and_are_base64(void **state)
{
    char one[HERITAGE_NONCE_BYTES], two[HERITAGE_NONCE_BYTES];

    (void)state;
    assert_true(nonce_draw(one) && nonce_draw(two));
    assert_memory_not_equal(one, two, sizeof one);
    for (size_t i = 0; i < sizeof one; i++)
        assert_non_null(
            strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", one[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mark_of_a_text_becomes_the_nonce),
        cmocka_unit_test(a_mark_may_lie_across_parts_wherever_they_are_cut),
        cmocka_unit_test(what_can_begin_no_mark_does_not_wait),
        cmocka_unit_test(without_a_mark_parts_pass_untouched),
        cmocka_unit_test(nonces_differ_and_are_base64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
