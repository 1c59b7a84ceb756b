/* SPDX-License-Identifier: MIT */
/*
 * compress_stream.h - a body that is packed piece by piece, each of which can be unpacked as it comes:
 * behind each stands a flush (RFC 1951 section 3.2.4 for gzip, RFC 7932 section 9.2 for br, RFC 8878
 * for zstd). Pages that are there as a whole: compress.h. One thread.
 */
#ifndef SSRD_WORKER_COMPRESS_STREAM_H
#define SSRD_WORKER_COMPRESS_STREAM_H

#include "shm/base.h"
#include "shm/page.h"

struct compress_stream;

/* About 0.3 MB for gzip, 0.7 for br, 1 for zstd, as long as it is there. NULL: the encoding is not
 * built in, or out of memory. */
struct compress_stream *compress_stream_new(enum page_encoding encoding);
void compress_stream_free(struct compress_stream *stream); /* takes NULL */

/*
 * in, at most UINT32_MAX bytes, packed with what came before it; is_last: and the end. Nothing may follow the last. ret_out:
 * valid until the next call. False: out of memory, the stream is of no more use.
 */
bool compress_stream_add(struct compress_stream *stream, struct span in, bool is_last,
                         struct span *ret_out);

#endif
