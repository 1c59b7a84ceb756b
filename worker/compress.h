/* SPDX-License-Identifier: MIT */
/*
 * compress.h - bytes into gzip (RFC 1952), br (RFC 7932), zstd (RFC 8878), at one of three efforts.
 * Keeps the libraries' states, so that only the first use of each allocates; one thread.
 * What each level costs: perf/README.md, "Compression".
 */
#ifndef SSRD_WORKER_COMPRESS_H
#define SSRD_WORKER_COMPRESS_H

#include "shm/base.h"
#include "shm/page.h"

struct compressor;

enum compress_effort {
    COMPRESS_QUICK, /* somebody waits for it, and it is kept */
    COMPRESS_BEST,  /* nobody waits */
    COMPRESS_EACH,  /* done again for each answer */
    COMPRESS_EFFORTS
};

struct compressor *compressor_new(void);             /* NULL: out of memory */
void compressor_free(struct compressor *compressor); /* takes NULL */

/* Was the encoding built in? zstd may be missing. */
bool compress_has(enum page_encoding encoding);

/*
 * in, at most UINT32_MAX bytes, into out. Returns the bytes written; 0: they would be more than
 * cap_bytes (give less room than `in` has, and only what got smaller comes back), the encoding is
 * not built in, or memory lacks.
 */
size_t compress_bytes(struct compressor *compressor, enum page_encoding encoding,
                      enum compress_effort effort, struct span in, char *out, size_t cap_bytes);

/* Is it worth trying with this media type (the value of Content-Type)? Not with what is compressed
 * already: images but SVG, sound, film, WOFF fonts, archives. */
bool compress_pays(struct span content_type);

#endif
