/* SPDX-License-Identifier: MIT */
/* compress_stream.c - see compress_stream.h. */
#include "worker/compress_stream.h"

#include <brotli/encode.h>
#include <mimalloc.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* As quick as for pages; the window is smaller, since each open stream has one of its own: on pages of
 * 8 and 58 kB in 20 pieces it costs nothing in bytes, and br would take 9 MB else (perf/README.md,
 * "Compression"). */
#define BROTLI_QUALITY 5
#define ZSTD_LEVEL 3
#define GZIP_LEVEL 6
#define WINDOW_BITS 16
#define GZIP_WRAPPER 16 /* added to zlib's window bits: a gzip head and tail */
#define GZIP_MEMORY 8
#define OUT_BYTES_MIN 4096u

struct compress_stream {
    enum page_encoding encoding;
    BrotliEncoderState *br;
    z_stream gzip;
    bool gzip_ready;
    ZSTD_CCtx *zstd;
    char *out;
    size_t out_bytes;
    size_t cap_bytes;
};

static void *br_new(void *opaque, size_t bytes)
{
    (void)opaque;
    return mi_malloc(bytes);
}

static void br_free(void *opaque, void *p)
{
    (void)opaque;
    mi_free(p);
}

static void *gzip_new(void *opaque, unsigned count, unsigned bytes)
{
    (void)opaque;
    return mi_calloc(count, bytes);
}

static bool begin(struct compress_stream *s)
{
    switch (s->encoding) {
    case PAGE_BR:
        s->br = BrotliEncoderCreateInstance(br_new, br_free, NULL);
        return s->br && BrotliEncoderSetParameter(s->br, BROTLI_PARAM_QUALITY, BROTLI_QUALITY) &&
               BrotliEncoderSetParameter(s->br, BROTLI_PARAM_LGWIN, WINDOW_BITS) &&
               BrotliEncoderSetParameter(s->br, BROTLI_PARAM_MODE, BROTLI_MODE_TEXT);
    case PAGE_GZIP:
        s->gzip.zalloc = gzip_new;
        s->gzip.zfree = br_free;
        s->gzip_ready = deflateInit2(&s->gzip, GZIP_LEVEL, Z_DEFLATED, MAX_WBITS + GZIP_WRAPPER,
                                     GZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
        return s->gzip_ready;
    case PAGE_ZSTD:
        s->zstd = ZSTD_createCCtx();
        return s->zstd &&
               !ZSTD_isError(
                   ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)) &&
               !ZSTD_isError(ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_windowLog, WINDOW_BITS));
    default:
        return false;
    }
}

struct compress_stream *compress_stream_new(enum page_encoding encoding)
{
    struct compress_stream *s = mi_zalloc(sizeof *s);

    if (!s)
        return NULL;
    s->encoding = encoding;
    if (begin(s))
        return s;
    compress_stream_free(s);
    return NULL;
}

void compress_stream_free(struct compress_stream *s)
{
    if (!s)
        return;
    if (s->br)
        BrotliEncoderDestroyInstance(s->br);
    if (s->gzip_ready)
        (void)deflateEnd(&s->gzip);
    (void)ZSTD_freeCCtx(s->zstd);
    mi_free(s->out);
    mi_free(s);
}

/* Room for more of what comes out. */
static bool grow(struct compress_stream *s)
{
    size_t cap = s->cap_bytes ? s->cap_bytes * 2 : OUT_BYTES_MIN;
    char *out;

    if (s->cap_bytes - s->out_bytes >= OUT_BYTES_MIN / 2)
        return true;
    out = mi_realloc(s->out, cap);
    if (!out)
        return false;
    s->out = out;
    s->cap_bytes = cap;
    return true;
}

static bool add_br(struct compress_stream *s, struct span in, bool is_last)
{
    BrotliEncoderOperation what = is_last ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_FLUSH;
    const uint8_t *next = (const uint8_t *)in.data;

    do {
        uint8_t *out;
        size_t room;

        if (!grow(s))
            return false;
        out = (uint8_t *)s->out + s->out_bytes;
        room = s->cap_bytes - s->out_bytes;
        if (!BrotliEncoderCompressStream(s->br, what, &in.bytes, &next, &room, &out, NULL))
            return false;
        s->out_bytes = s->cap_bytes - room;
    } while (in.bytes > 0 || BrotliEncoderHasMoreOutput(s->br));
    return true;
}

static bool add_gzip(struct compress_stream *s, struct span in, bool is_last)
{
    int result;

    s->gzip.next_in = (Bytef *)(uintptr_t)in.data;
    s->gzip.avail_in = (uInt)in.bytes;
    do {
        if (!grow(s))
            return false;
        s->gzip.next_out = (Bytef *)s->out + s->out_bytes;
        s->gzip.avail_out = (uInt)(s->cap_bytes - s->out_bytes);
        result = deflate(&s->gzip, is_last ? Z_FINISH : Z_SYNC_FLUSH);
        s->out_bytes = s->cap_bytes - s->gzip.avail_out;
        /* Z_BUF_ERROR: what there was to flush had filled the room to the last byte */
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            return false;
    } while (s->gzip.avail_out == 0);
    return true;
}

static bool add_zstd(struct compress_stream *s, struct span in, bool is_last)
{
    ZSTD_inBuffer from = {in.data, in.bytes, 0};
    size_t left;

    do {
        ZSTD_outBuffer to;

        if (!grow(s))
            return false;
        to = (ZSTD_outBuffer){s->out + s->out_bytes, s->cap_bytes - s->out_bytes, 0};
        left = ZSTD_compressStream2(s->zstd, &to, &from, is_last ? ZSTD_e_end : ZSTD_e_flush);
        if (ZSTD_isError(left))
            return false;
        s->out_bytes += to.pos;
    } while (left > 0);
    return true;
}

bool compress_stream_add(struct compress_stream *s, struct span in, bool is_last,
                         struct span *ret_out)
{
    bool added;

    s->out_bytes = 0;
    switch (s->encoding) {
    case PAGE_BR:
        added = add_br(s, in, is_last);
        break;
    case PAGE_GZIP:
        added = add_gzip(s, in, is_last);
        break;
    default:
        added = add_zstd(s, in, is_last);
        break;
    }
    if (added)
        *ret_out = (struct span){s->out, s->out_bytes};
    return added;
}
