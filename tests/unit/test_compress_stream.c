/* SPDX-License-Identifier: MIT */
/* test_compress_stream.c - each piece can be unpacked when it has come, before any that follows. */
#include "worker/compress_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <brotli/decode.h>
#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#define TEXT_BYTES 200000

static char text[TEXT_BYTES];
static char again[TEXT_BYTES + 1];

/* What a client has: it unpacks what comes at once. */
struct reader {
    enum page_encoding encoding;
    BrotliDecoderState *br;
    z_stream gzip;
    ZSTD_DCtx *zstd;
    size_t bytes; /* in again[] */
    bool is_over;
};

static void fill(bool is_dull)
{
    uint32_t seed = 1;

    for (size_t i = 0; i < sizeof text; i++) {
        seed = seed * 1664525u + 1013904223u;
        text[i] = is_dull ? "<li class=\"item\">one</li>"[i % 25] : (char)(seed >> 24);
    }
}

static void reader_init(struct reader *r, enum page_encoding encoding)
{
    *r = (struct reader){.encoding = encoding};
    if (encoding == PAGE_BR)
        r->br = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    else if (encoding == PAGE_GZIP)
        assert_int_equal(inflateInit2(&r->gzip, MAX_WBITS + 16), Z_OK);
    else
        r->zstd = ZSTD_createDCtx();
}

static void reader_done(struct reader *r)
{
    if (r->encoding == PAGE_BR)
        BrotliDecoderDestroyInstance(r->br);
    else if (r->encoding == PAGE_GZIP)
        (void)inflateEnd(&r->gzip);
    else
        (void)ZSTD_freeDCtx(r->zstd);
}

static void read_br(struct reader *r, struct span in)
{
    const uint8_t *next = (const uint8_t *)in.data;
    uint8_t *out = (uint8_t *)again + r->bytes;
    size_t room = sizeof again - r->bytes;
    BrotliDecoderResult result =
        BrotliDecoderDecompressStream(r->br, &in.bytes, &next, &room, &out, NULL);

    assert_int_not_equal(result, BROTLI_DECODER_RESULT_ERROR);
    r->bytes = sizeof again - room;
    r->is_over = result == BROTLI_DECODER_RESULT_SUCCESS;
}

static void read_gzip(struct reader *r, struct span in)
{
    int result;

    r->gzip.next_in = (Bytef *)(uintptr_t)in.data;
    r->gzip.avail_in = (uInt)in.bytes;
    r->gzip.next_out = (Bytef *)again + r->bytes;
    r->gzip.avail_out = (uInt)(sizeof again - r->bytes);
    result = inflate(&r->gzip, Z_SYNC_FLUSH);
    assert_true(result == Z_OK || result == Z_STREAM_END);
    r->bytes = sizeof again - r->gzip.avail_out;
    r->is_over = result == Z_STREAM_END;
}

static void read_zstd(struct reader *r, struct span in)
{
    ZSTD_inBuffer from = {in.data, in.bytes, 0};
    ZSTD_outBuffer to = {again, sizeof again, r->bytes};
    size_t left = 1;

    while (from.pos < from.size) {
        left = ZSTD_decompressStream(r->zstd, &to, &from);
        assert_false(ZSTD_isError(left));
    }
    r->bytes = to.pos;
    r->is_over = left == 0;
}

static void reader_take(struct reader *r, struct span in)
{
    if (in.bytes == 0)
        return;
    if (r->encoding == PAGE_BR)
        read_br(r, in);
    else if (r->encoding == PAGE_GZIP)
        read_gzip(r, in);
    else
        read_zstd(r, in);
}

static void each_piece_can_be_read_when_it_has_come(void **state)
{
    static const size_t pieces[] = {1, 2000, 0, 400, 100000, 3, 60000};

    (void)state;
    for (int i = 0; i < 2 * PAGE_ENCODINGS; i++) {
        enum page_encoding encoding = (enum page_encoding)(i / 2);
        struct compress_stream *s = compress_stream_new(encoding);
        struct reader r;
        size_t at = 0, packed_bytes = 0;
        struct span out;

        if (encoding == PAGE_IDENTITY) {
            assert_null(s);
            continue;
        }
        assert_non_null(s);
        fill(i % 2);
        reader_init(&r, encoding);
        for (size_t k = 0; k < array_len(pieces); k++) {
            assert_true(compress_stream_add(s, (struct span){text + at, pieces[k]}, false, &out));
            at += pieces[k];
            packed_bytes += out.bytes;
            reader_take(&r, out);
            assert_int_equal(r.bytes, at);
            assert_memory_equal(again, text, at);
            assert_false(r.is_over);
        }
        assert_true(compress_stream_add(s, (struct span){text + at, 50}, true, &out));
        reader_take(&r, out);
        assert_int_equal(r.bytes, at + 50);
        assert_true(r.is_over);
        if (i % 2)
            assert_in_range(packed_bytes, 1, at / 10);
        reader_done(&r);
        compress_stream_free(s);
    }
}

static void the_end_may_come_without_bytes(void **state)
{
    (void)state;
    fill(true);
    for (int i = PAGE_GZIP; i < PAGE_ENCODINGS; i++) {
        struct compress_stream *s = compress_stream_new((enum page_encoding)i);
        struct reader r;
        struct span out;

        reader_init(&r, (enum page_encoding)i);
        assert_true(compress_stream_add(s, (struct span){text, 25}, false, &out));
        reader_take(&r, out);
        assert_true(compress_stream_add(s, (struct span){NULL, 0}, true, &out));
        reader_take(&r, out);
        assert_int_equal(r.bytes, 25);
        assert_true(r.is_over);
        reader_done(&r);
        compress_stream_free(s);
    }
    compress_stream_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_piece_can_be_read_when_it_has_come),
        cmocka_unit_test(the_end_may_come_without_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
