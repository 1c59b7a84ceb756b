/* SPDX-License-Identifier: MIT */
/*
 * fuzz_keypath.c - URLs into cache keys: never longer, never out of bounds, the same when done
 * twice, and the same whatever order a query's parameters came in. The first byte chooses the
 * policy. And paths as routes see them: never longer, without "." and ".." as segments.
 */
#include "shm/keypath.h"
#include "shm/routepath.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void expect(int truth)
{
    if (!truth)
        abort();
}

static bool has_dots(const char *path, size_t bytes)
{
    const char *end = path + bytes;

    while (path < end) {
        const char *stop = memchr(path + 1, '/', (size_t)(end - path - 1));
        size_t n = (size_t)((stop ? stop : end) - path) - 1;

        if ((n == 1 || n == 2) && path[1] == '.' && path[n] == '.')
            return true;
        path += n + 1;
    }
    return false;
}

static void check_route(const char *path, size_t bytes)
{
    autofree char *plain = malloc(bytes);
    size_t plain_bytes;

    if (!plain || *path != '/')
        return;
    plain_bytes = routepath_normalise(path, bytes, plain);
    expect(plain_bytes > 0 && plain_bytes <= bytes && *plain == '/');
    expect(!has_dots(plain, plain_bytes));
    if (!routepath_is_odd(path, bytes))
        expect(plain_bytes == bytes && memcmp(plain, path, bytes) == 0);
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
    check_route(url, bytes);
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
