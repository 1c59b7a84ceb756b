/* SPDX-License-Identifier: MIT */
/* test_compress.c - what comes out is what went in, and only where it got smaller. */
#include "worker/compress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <brotli/decode.h>
#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#define TEXT_BYTES 60000

static char text[TEXT_BYTES];
static char packed[TEXT_BYTES];
static char again[TEXT_BYTES + 1];

static int set_up(void **state)
{
    size_t at = 0;

    for (unsigned i = 0; at < sizeof text - 64; i++) {
        const char *item = i % 3 ? "<li class=\"item\">one of many " : "</ul><ul data-id=\"7\">";

        memcpy(text + at, item, strlen(item));
        at += strlen(item);
        text[at++] = (char)('a' + i * 7 % 26);
    }
    *state = compressor_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    compressor_free(*state);
    return 0;
}

static size_t unpack_gzip(size_t bytes)
{
    z_stream z = {0};
    size_t got;

    assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
    z.next_in = (Bytef *)packed;
    z.avail_in = (uInt)bytes;
    z.next_out = (Bytef *)again;
    z.avail_out = sizeof again;
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    got = z.total_out;
    (void)inflateEnd(&z);
    return got;
}

static size_t unpack(enum page_encoding encoding, size_t bytes)
{
    size_t got = sizeof again;

    if (encoding == PAGE_GZIP)
        return unpack_gzip(bytes);
    if (encoding == PAGE_ZSTD)
        return ZSTD_decompress(again, sizeof again, packed, bytes);
    assert_int_equal(BrotliDecoderDecompress(bytes, (uint8_t *)packed, &got, (uint8_t *)again),
                     BROTLI_DECODER_RESULT_SUCCESS);
    return got;
}

static void what_was_packed_unpacks_to_the_same(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 8400, TEXT_BYTES};

    for (int encoding = PAGE_GZIP; encoding < PAGE_ENCODINGS; encoding++) {
        for (int effort = COMPRESS_QUICK; effort <= COMPRESS_BEST; effort++) {
            for (size_t i = 0; i < array_len(sizes); i++) {
                struct span in = {text, sizes[i]};
                size_t bytes =
                    compress_bytes(*state, (enum page_encoding)encoding,
                                   (enum compress_effort)effort, in, packed, sizeof packed);

                assert_true(bytes > 0);
                assert_int_equal(unpack((enum page_encoding)encoding, bytes), sizes[i]);
                assert_memory_equal(again, text, sizes[i]);
                assert_true(sizes[i] < 1000 || bytes < sizes[i] / 4);
            }
        }
    }
}

static void what_finds_no_room_gives_nothing_and_the_next_one_works(void **state)
{
    for (int encoding = PAGE_GZIP; encoding < PAGE_ENCODINGS; encoding++) {
        struct span in = {text, 8400};
        size_t bytes;

        assert_int_equal(
            compress_bytes(*state, (enum page_encoding)encoding, COMPRESS_QUICK, in, packed, 20),
            0);
        bytes = compress_bytes(*state, (enum page_encoding)encoding, COMPRESS_QUICK, in, packed,
                               sizeof packed);
        assert_true(bytes > 20);
        assert_int_equal(unpack((enum page_encoding)encoding, bytes), 8400);
    }
    assert_int_equal(
        compress_bytes(*state, PAGE_IDENTITY, COMPRESS_QUICK, (struct span){text, 10}, packed, 100),
        0);
}

static void text_pays_and_pictures_do_not(void **state)
{
    static const char *const yes[] = {
        "text/html",        "text/html; charset=utf-8", "TEXT/CSS",
        "application/json", "application/ld+json",      "application/rss+xml ; x=y",
        "image/svg+xml",    "text/x-component",         "application/wasm",
        "font/ttf",         "application/manifest+json"};
    static const char *const no[] = {"",
                                     "image/png",
                                     "image/jpeg",
                                     "font/woff2",
                                     "video/mp4",
                                     "application/zip",
                                     "application/octet-stream",
                                     "text/event-stream",
                                     "text/event-stream; charset=utf-8",
                                     "application/pdf",
                                     "application/gzip",
                                     "image/avif"};

    (void)state;
    for (size_t i = 0; i < array_len(yes); i++)
        if (!compress_pays((struct span){yes[i], strlen(yes[i])}))
            fail_msg("%s is left as it is", yes[i]);
    for (size_t i = 0; i < array_len(no); i++)
        if (compress_pays((struct span){no[i], strlen(no[i])}))
            fail_msg("%s is compressed", no[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_packed_unpacks_to_the_same),
        cmocka_unit_test(what_finds_no_room_gives_nothing_and_the_next_one_works),
        cmocka_unit_test(text_pays_and_pictures_do_not),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
