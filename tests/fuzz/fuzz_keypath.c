/* SPDX-License-Identifier: MIT */
/*
 * fuzz_keypath.c - URLs into cache keys: never longer, never out of bounds, the same when done
 * twice, and the same whatever order a query's parameters came in. The first byte chooses the
 * policy.
 */
#include "shm/keypath.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void expect(int truth)
{
    if (!truth)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *names[] = {(char *)"a", (char *)"page"};
    struct config_key key = {.query_names = {names, array_len(names)}};
    const char *url = (const char *)data + 1;
    size_t once_bytes = 0;
    size_t twice_bytes = 0;
    autofree char *once = NULL;
    autofree char *twice = NULL;

    if (bytes < 2)
        return 0;
    bytes--;
    key.query = (enum config_query)(data[0] % 3);
    once = malloc(bytes);
    twice = malloc(bytes);
    if (!once || !twice)
        return 0;
    expect(keypath_normalise(&key, url, bytes, once, bytes, &once_bytes) == 0);
    expect(once_bytes <= bytes);
    expect(keypath_normalise(&key, once, once_bytes, twice, bytes, &twice_bytes) == 0);
    expect(twice_bytes == once_bytes && memcmp(once, twice, once_bytes) == 0);
    expect(key.query != QUERY_NONE || !memchr(once, '?', once_bytes));
    if (once_bytes > 0)
        expect(keypath_normalise(&key, url, bytes, twice, once_bytes - 1, &twice_bytes) ==
               -ENOBUFS);
    return 0;
}
