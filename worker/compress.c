/* SPDX-License-Identifier: MIT */
/* compress.c - see compress.h. */
#include "worker/compress.h"

#include <brotli/encode.h>
#include <mimalloc.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

/* Where the next level costs much more than it saves: the table in perf/README.md. */
static const int brotli_quality[COMPRESS_EFFORTS] = {
    [COMPRESS_QUICK] = 5, [COMPRESS_BEST] = 10, [COMPRESS_EACH] = 1};
static const int gzip_level[COMPRESS_EFFORTS] = {
    [COMPRESS_QUICK] = 6, [COMPRESS_BEST] = 9, [COMPRESS_EACH] = 1};
static const int zstd_level[COMPRESS_EFFORTS] = {
    [COMPRESS_QUICK] = 3, [COMPRESS_BEST] = 9, [COMPRESS_EACH] = 1};

#define GZIP_WRAPPER 16 /* added to zlib's window bits: a gzip head and tail */
#define GZIP_MEMORY 8

struct compressor {
    z_stream gzip[COMPRESS_EFFORTS];
    bool gzip_ready[COMPRESS_EFFORTS];
    ZSTD_CCtx *zstd;
};

struct compressor *compressor_new(void)
{
    return calloc(1, sizeof(struct compressor));
}

void compressor_free(struct compressor *c)
{
    if (!c)
        return;
    for (int i = 0; i < COMPRESS_EFFORTS; i++)
        if (c->gzip_ready[i])
            (void)deflateEnd(&c->gzip[i]);
    (void)ZSTD_freeCCtx(c->zstd);
    free(c);
}

bool compress_has(enum page_encoding encoding)
{
    return encoding == PAGE_GZIP || encoding == PAGE_BR || encoding == PAGE_ZSTD;
}

static size_t gzip(struct compressor *c, enum compress_effort effort, struct span in, char *out,
                   size_t cap_bytes)
{
    z_stream *z = &c->gzip[effort];

    if (!c->gzip_ready[effort]) {
        if (deflateInit2(z, gzip_level[effort], Z_DEFLATED, MAX_WBITS + GZIP_WRAPPER, GZIP_MEMORY,
                         Z_DEFAULT_STRATEGY) != Z_OK)
            return 0;
        c->gzip_ready[effort] = true;
    } else if (deflateReset(z) != Z_OK) {
        return 0;
    }
    z->next_in = (Bytef *)(uintptr_t)in.data;
    z->avail_in = (uInt)in.bytes;
    z->next_out = (Bytef *)out;
    z->avail_out = cap_bytes < UINT32_MAX ? (uInt)cap_bytes : UINT32_MAX;
    return deflate(z, Z_FINISH) == Z_STREAM_END ? z->total_out : 0;
}

static size_t brotli(enum compress_effort effort, struct span in, char *out, size_t cap_bytes)
{
    size_t bytes = cap_bytes;

    return BrotliEncoderCompress(brotli_quality[effort], BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT,
                                 in.bytes, (const uint8_t *)in.data, &bytes,
                                 (uint8_t *)out) == BROTLI_TRUE
               ? bytes
               : 0;
}

static size_t zstd(struct compressor *c, enum compress_effort effort, struct span in, char *out,
                   size_t cap_bytes)
{
    size_t bytes;

    if (!c->zstd)
        c->zstd = ZSTD_createCCtx();
    if (!c->zstd)
        return 0;
    bytes = ZSTD_compressCCtx(c->zstd, out, cap_bytes, in.data, in.bytes, zstd_level[effort]);
    return ZSTD_isError(bytes) ? 0 : bytes;
}

size_t compress_bytes(struct compressor *c, enum page_encoding encoding,
                      enum compress_effort effort, struct span in, char *out, size_t cap_bytes)
{
    if (in.bytes > UINT32_MAX)
        return 0;
    switch (encoding) {
    case PAGE_GZIP:
        return gzip(c, effort, in, out, cap_bytes);
    case PAGE_BR:
        return brotli(effort, in, out, cap_bytes);
    case PAGE_ZSTD:
        return zstd(c, effort, in, out, cap_bytes);
    default:
        return 0;
    }
}

static bool begins(struct span text, const char *with)
{
    size_t bytes = strlen(with);

    return text.bytes >= bytes && strncasecmp(text.data, with, bytes) == 0;
}

static bool ends(struct span text, const char *with)
{
    size_t bytes = strlen(with);

    return text.bytes >= bytes && strncasecmp(text.data + text.bytes - bytes, with, bytes) == 0;
}

bool compress_pays(struct span content_type)
{
    static const char *const types[] = {"application/javascript",
                                        "application/json",
                                        "application/manifest",
                                        "application/wasm",
                                        "application/xml",
                                        "application/x-javascript",
                                        "application/x-ndjson",
                                        "application/vnd.ms-fontobject",
                                        "font/otf",
                                        "font/ttf",
                                        "image/bmp",
                                        "image/svg+xml",
                                        "image/x-icon",
                                        "image/vnd.microsoft.icon",
                                        "text/"};
    const char *semicolon = memchr(content_type.data, ';', content_type.bytes);
    struct span type = content_type;

    if (semicolon)
        type.bytes = (size_t)(semicolon - type.data);
    while (type.bytes > 0 && type.data[type.bytes - 1] == ' ')
        type.bytes--;
    if (begins(type, "text/event-stream"))
        return false; /* each event must go out by itself */
    for (size_t i = 0; i < array_len(types); i++)
        if (begins(type, types[i]))
            return true;
    return ends(type, "+json") || ends(type, "+xml");
}
