/* SPDX-License-Identifier: MIT */
/*
 * compression - what each level of each encoding makes of a file, in bytes, and of the CPU, in
 * microseconds: from this worker/compress.c has its levels. usage: compression FILE…
 */
#include "shm/base.h"

#include <brotli/encode.h>
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

#define IN_BYTES_MAX (4 * MIB)
#define OUT_BYTES (8 * MIB)
#define LONG_ENOUGH_NS 50000000u

static unsigned char in[IN_BYTES_MAX];
static unsigned char out[OUT_BYTES];

typedef size_t packer(int level, size_t in_bytes);

static size_t pack_br(int level, size_t in_bytes)
{
    size_t bytes = sizeof out;

    return BrotliEncoderCompress(level, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT, in_bytes, in,
                                 &bytes, out) == BROTLI_TRUE
               ? bytes
               : 0;
}

static size_t pack_gzip(int level, size_t in_bytes)
{
    static z_stream z;
    static int of_level = -1;

    if (of_level != level) {
        if (of_level >= 0)
            (void)deflateEnd(&z);
        if (deflateInit2(&z, level, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
            return 0;
        of_level = level;
    }
    (void)deflateReset(&z);
    z.next_in = in;
    z.avail_in = (uInt)in_bytes;
    z.next_out = out;
    z.avail_out = sizeof out;
    return deflate(&z, Z_FINISH) == Z_STREAM_END ? z.total_out : 0;
}

static size_t pack_zstd(int level, size_t in_bytes)
{
    static ZSTD_CCtx *context;
    size_t bytes;

    if (!context)
        context = ZSTD_createCCtx();
    bytes = ZSTD_compressCCtx(context, out, sizeof out, in, in_bytes, level);
    return ZSTD_isError(bytes) ? 0 : bytes;
}

static uint64_t cpu_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void measure(const char *name, packer *pack, const int *levels, size_t count,
                    size_t in_bytes)
{
    for (size_t i = 0; i < count; i++) {
        size_t bytes = pack(levels[i], in_bytes); /* once outside: allocations */
        uint64_t begin_ns = cpu_ns();
        uint64_t took_ns;
        unsigned times = 0;

        do {
            (void)pack(levels[i], in_bytes);
            times++;
            took_ns = cpu_ns() - begin_ns;
        } while (took_ns < LONG_ENOUGH_NS);
        printf("  %-4s %2d  %8zu bytes  %5.1f %%  %8.1f us\n", name, levels[i], bytes,
               100.0 * (double)bytes / (double)in_bytes, (double)took_ns / 1e3 / times);
    }
}

int main(int argc, char **argv)
{
    static const int br[] = {1, 3, 4, 5, 6, 8, 9, 10, 11};
    static const int gz[] = {1, 4, 5, 6, 9};
    static const int zs[] = {1, 3, 5, 9, 12, 19};

    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "re");
        size_t bytes = file ? fread(in, 1, sizeof in, file) : 0;

        if (file)
            (void)fclose(file);
        if (bytes == 0) {
            (void)fprintf(stderr, "compression: %s can't be read, or is empty\n", argv[i]);
            return EXIT_FAILURE;
        }
        printf("%s: %zu bytes\n", argv[i], bytes);
        measure("br", pack_br, br, array_len(br), bytes);
        measure("gzip", pack_gzip, gz, array_len(gz), bytes);
        measure("zstd", pack_zstd, zs, array_len(zs), bytes);
    }
    return EXIT_SUCCESS;
}
