/* SPDX-License-Identifier: MIT */
/*
 * fuzz_zlib.c - compressed bytes as DecompressionStream reads them (worker/js_zlib.cc, polyfills/compression.js), in pieces of any
 * size. Beyond not crashing: it gives what zlib gives for the whole at once, and refuses what zlib refuses, what is cut off, and
 * what has something behind its end. And what CompressionStream makes of the same bytes comes back as it was.
 *
 * The first byte says which format; the second how many bytes a piece has.
 */
#include "tests/fuzz/js_body.h"

#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define OUT_BYTES_MAX (4u * (size_t)MIB)

static const char bundle[] =
    "'use strict';"
    "const run = async (stream, bytes, step) => {"
    "  const writer = stream.writable.getWriter();"
    "  const write = async () => { for (let at = 0; at < bytes.length; at += step) await "
    "writer.write(bytes.subarray(at, at + step)); await writer.close(); };"
    "  const written = write().catch(() => {});"
    "  const bytesOut = await new Response(stream.readable).bytes();"
    "  await written;"
    "  return bytesOut;"
    "};"
    "globalThis.renderPage = async (url, data, request) => {"
    "  const [, way, format, step] = url.split('/');"
    "  const bytes = await request.bytes();"
    "  try {"
    "    if (way === 'there')"
    "      return {body: await run(new DecompressionStream(format), await run(new "
    "CompressionStream(format), bytes, +step), +step)};"
    "    return {body: await run(new DecompressionStream(format), bytes, +step)};"
    "  } catch (error) {"
    "    if (!(error instanceof TypeError)) throw error;"
    "    return {status: 400, body: 'refused'};"
    "  }"
    "};";

static const struct {
    const char *name;
    int bits;
} formats[] = {{"gzip", 31}, {"deflate", 15}, {"deflate-raw", -15}};

/* By zlib alone, in one piece. -1: not of the format, cut off, or something behind its end; -2: larger than is looked at. */
static long inflate_whole(int bits, const uint8_t *data, size_t bytes, uint8_t *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)data,
                  .avail_in = (unsigned)bytes,
                  .next_out = out,
                  .avail_out = (unsigned)OUT_BYTES_MAX};
    long have;
    int result;

    if (inflateInit2(&z, bits) != Z_OK)
        abort();
    result = inflate(&z, Z_FINISH);
    have = (long)(OUT_BYTES_MAX - z.avail_out);
    if (z.avail_out == 0)
        have = -2;
    else if (result != Z_STREAM_END || z.avail_in > 0)
        have = -1;
    (void)inflateEnd(&z);
    return have;
}

static void expect(const void *wanted, size_t bytes, const char *what)
{
    if (js_body.bytes == bytes && (bytes == 0 || memcmp(js_body.page, wanted, bytes) == 0))
        return;
    (void)fprintf(stderr, "%s: %zu bytes, not %zu\n", what, js_body.bytes, bytes);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const struct span type = {"application/octet-stream", 24};
    static uint8_t out[OUT_BYTES_MAX];
    char url[64];
    unsigned format;
    unsigned step;
    long have;

    if (bytes < 2)
        return 0;
    js_body_open(bundle);
    format = data[0] % array_len(formats);
    step = data[1] ? data[1] : (unsigned)bytes;
    have = inflate_whole(formats[format].bits, data + 2, bytes - 2, out);
    if (have == -2)
        return 0;
    (void)snprintf(url, sizeof url, "/back/%s/%u", formats[format].name, step);
    js_body_render(url, type, data + 2, bytes - 2);
    if (have == -1)
        expect("refused", 7, "what zlib refuses");
    else
        expect(out, (size_t)have, "what zlib gives");
    (void)snprintf(url, sizeof url, "/there/%s/%u", formats[format].name, step);
    js_body_render(url, type, data + 2, bytes - 2);
    expect(data + 2, bytes - 2, "there and back");
    return 0;
}
