/* SPDX-License-Identifier: MIT */
/*
 * compress_slow.c - see compress_slow.h. Only brotli takes long enough to be cut into steps: at level 10 it
 * needs 0.3 ms a kilobyte, and works through a block of input at a time, which is made as small as it can
 * be (64 KiB, 20 ms; the default at this level is 256). gzip and zstd do half a megabyte in 10 ms.
 */
#include "worker/compress_slow.h"

#include "worker/compress.h"

#include <brotli/encode.h>
#include <mimalloc.h>

#define BROTLI_LEVEL 10 /* as BROTLI_BEST of compress.c: perf/README.md, "Compression" */
#define BROTLI_BLOCK_BITS 16
#define STEP_BYTES (1u << BROTLI_BLOCK_BITS)

struct compress_slow {
    enum page_encoding encoding;
    struct span in;
    size_t taken_bytes;
    char *out; /* less than `in` */
    size_t out_bytes;
    size_t cap_bytes;
    BrotliEncoderState *brotli;
    struct compressor *compressor;
};

/* No larger than the text: brotli's tables are as large as its window. */
static uint32_t window_bits(size_t bytes)
{
    uint32_t bits = BROTLI_MIN_WINDOW_BITS;

    while (bits < BROTLI_DEFAULT_WINDOW && ((size_t)1 << bits) < bytes + 16) /* RFC 7932, 9.1 */
        bits++;
    return bits;
}

static bool set_up_brotli(struct compress_slow *s)
{
    s->brotli = BrotliEncoderCreateInstance(NULL, NULL, NULL);
    return s->brotli && BrotliEncoderSetParameter(s->brotli, BROTLI_PARAM_QUALITY, BROTLI_LEVEL) &&
           BrotliEncoderSetParameter(s->brotli, BROTLI_PARAM_MODE, BROTLI_MODE_TEXT) &&
           BrotliEncoderSetParameter(s->brotli, BROTLI_PARAM_LGBLOCK, BROTLI_BLOCK_BITS) &&
           BrotliEncoderSetParameter(s->brotli, BROTLI_PARAM_LGWIN, window_bits(s->in.bytes)) &&
           BrotliEncoderSetParameter(s->brotli, BROTLI_PARAM_SIZE_HINT, (uint32_t)s->in.bytes);
}

struct compress_slow *compress_slow_new(enum page_encoding encoding, struct span in)
{
    struct compress_slow *s;

    if (in.bytes == 0 || in.bytes > COMPRESS_SLOW_BYTES_MAX || !compress_has(encoding))
        return NULL;
    s = mi_zalloc(sizeof *s);
    if (!s)
        return NULL;
    s->encoding = encoding;
    s->in = in;
    s->cap_bytes = in.bytes - 1;
    s->out = mi_malloc(in.bytes);
    if (encoding != PAGE_BR)
        s->compressor = compressor_new();
    if (s->out && (encoding == PAGE_BR ? set_up_brotli(s) : s->compressor != NULL))
        return s;
    compress_slow_free(s);
    return NULL;
}

void compress_slow_free(struct compress_slow *s)
{
    if (!s)
        return;
    BrotliEncoderDestroyInstance(s->brotli);
    compressor_free(s->compressor);
    mi_free(s->out);
    mi_free(s);
}

static bool step_brotli(struct compress_slow *s)
{
    size_t left = s->in.bytes - s->taken_bytes;
    size_t bytes = left < STEP_BYTES ? left : STEP_BYTES;
    size_t room = s->cap_bytes - s->out_bytes;
    const uint8_t *next = (const uint8_t *)s->in.data + s->taken_bytes;
    uint8_t *out = (uint8_t *)s->out + s->out_bytes;
    bool last = bytes == left;

    if (!BrotliEncoderCompressStream(s->brotli,
                                     last ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS,
                                     &bytes, &next, &room, &out, NULL) ||
        bytes > 0) { /* no room for what it makes: it got no smaller */
        s->out_bytes = 0;
        return true;
    }
    s->taken_bytes = (size_t)(next - (const uint8_t *)s->in.data);
    s->out_bytes = s->cap_bytes - room;
    if (last && !BrotliEncoderIsFinished(s->brotli))
        s->out_bytes = 0;
    return last;
}

bool compress_slow_step(struct compress_slow *s)
{
    if (s->encoding == PAGE_BR)
        return step_brotli(s);
    s->out_bytes =
        compress_bytes(s->compressor, s->encoding, COMPRESS_BEST, s->in, s->out, s->cap_bytes);
    return true;
}

struct span compress_slow_result(const struct compress_slow *s)
{
    return (struct span){s->out, s->out_bytes};
}
