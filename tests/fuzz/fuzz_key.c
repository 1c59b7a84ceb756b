/* SPDX-License-Identifier: MIT */
/*
 * fuzz_key.c - keys from requests. Beyond not crashing: the same request gives the same key, the
 * path lies in the key, and the key tells apart as many parts as the policy names.
 */
#include "shm/page.h"
#include "worker/key.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static char *names[] = {(char[]){"accept"}, (char[]){"x-b"}};
static char *cookies[] = {(char[]){"theme"}};

static size_t count_lines(const struct key *key)
{
    size_t lines = 0;

    for (size_t i = 0; i < key->bytes; i++)
        lines += key->data[i] == '\n';
    return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const struct http_limits limits = {8192, 0};
    const struct config_key policy = {
        .query = bytes > 0 && data[0] & 1 ? QUERY_NAMED : QUERY_ALL,
        .query_names = {cookies, 1},
        .headers = {names, 2},
        .cookies = {cookies, 1},
    };
    char buffer[2][PAGE_KEY_BYTES_MAX];
    struct http_parse parse;
    struct key key;
    struct key again;

    if (bytes < 2)
        return 0;
    http_parse_init(&parse, &limits);
    if (http_parse_head(&parse, (const char *)data + 1, bytes - 1) != HTTP_WHOLE)
        return 0;
    parse.https = data[0] & 2;
    if (key_build(&policy, &parse, (struct span){NULL, 0}, buffer[0], sizeof buffer[0], &key) != 0)
        return 0;
    assert(key.bytes <= sizeof buffer[0] && key.path_offset + key.path_bytes <= key.bytes);
    assert(key.path_offset == parse.host_bytes + (parse.https ? 6 : 0) && count_lines(&key) == 3);
    assert(key.hash == key_hash(key.data, key.bytes));
    assert(key_build(&policy, &parse, (struct span){NULL, 0}, buffer[1], key.bytes, &again) == 0);
    assert(again.bytes == key.bytes && memcmp(again.data, key.data, key.bytes) == 0);
    if (key.bytes > 0)
        assert(key_build(&policy, &parse, (struct span){NULL, 0}, buffer[1], key.bytes - 1,
                         &again) != 0);
    return 0;
}
