/* SPDX-License-Identifier: MIT */
/* fuzz_portable.c - renders as bytes: whatever is read lies inside the bytes, and writes back to them. */
#include "shm/page.h"
#include "worker/http_parse.h"
#include "worker/portable.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static bool lies_in(const uint8_t *data, size_t bytes, const char *at, size_t length)
{
    return (const uint8_t *)at >= data && (const uint8_t *)at + length <= data + bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static uint8_t again[65536];
    struct portable p, q;
    size_t written;

    if (portable_read(data, bytes, &p) != 0)
        return 0;
    assert(lies_in(data, bytes, p.key.data, p.key.bytes) && p.key.bytes <= PAGE_KEY_BYTES_MAX);
    assert(lies_in(data, bytes, p.data.data, p.data.bytes));
    assert(lies_in(data, bytes, p.head.data, p.head.bytes));
    assert((size_t)p.key.path_offset + p.key.path_bytes <= p.key.bytes);
    written = portable_write(&p, again, sizeof again);
    assert(written == (bytes <= sizeof again ? bytes : 0));
    if (written == 0)
        return 0;
    assert(portable_read(again, written, &q) == 0 && q.kind == p.kind &&
           q.was_stale == p.was_stale);
    assert(q.key.hash == p.key.hash && memcmp(q.id, p.id, sizeof p.id) == 0);
    assert(portable_write(&p, again, written - 1) == 0);
    return 0;
}
