/* SPDX-License-Identifier: MIT */
/*
 * fuzz_peer.c - what proxies say of their clients: the header of the PROXY protocol, X-Forwarded-For and Forwarded.
 * Beyond not crashing: a header is judged the same however many bytes follow, its size lies within
 * what was given, and an address that comes out is one.
 */
#include "worker/forwarded.h"
#include "worker/proxy_header.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_proxy_header(const char *data, size_t bytes)
{
    struct sockaddr_storage address;
    struct sockaddr_storage again;
    size_t used = 0;
    size_t same = 0;

    switch (proxy_header_parse(data, bytes, &used, &address)) {
    case PROXY_MORE:
        assert(bytes < PROXY_HEADER_BYTES_MAX);
        return;
    case PROXY_REFUSED:
        return;
    case PROXY_WHOLE:
        break;
    }
    assert(used > 0 && used <= bytes && used <= PROXY_HEADER_BYTES_MAX);
    assert(address.ss_family == AF_UNSPEC || address.ss_family == AF_INET ||
           address.ss_family == AF_INET6);
    assert(proxy_header_parse(data, used, &same, &again) == PROXY_WHOLE && same == used);
    assert(memcmp(&address, &again, sizeof address) == 0);
    assert(proxy_header_parse(data, used - 1, &same, &again) != PROXY_WHOLE);
}

static void check_forwarded(const char *data, size_t bytes)
{
    static const struct http_limits limits = {8192, 0};
    struct network trusted = {.family = 0};
    struct sockaddr_storage address;
    struct http_parse parse;

    assert(network_parse("10.0.0.0/8", &trusted) == 0);
    http_parse_init(&parse, &limits);
    if (http_parse_head(&parse, data, bytes) != HTTP_WHOLE)
        return;
    if (forwarded_client(&parse, &trusted, 1, &address)) {
        assert(address.ss_family == AF_INET || address.ss_family == AF_INET6);
        assert(!network_any(&trusted, 1, (struct sockaddr *)&address));
    }
    forwarded_take_origin(&parse, &trusted, 1);
    assert(parse.host_bytes == 0 || http_parse_is_host(http_parse_host(&parse)));
    assert(parse.host + parse.host_bytes <= parse.head_bytes);
    forwarded_drop(&parse);
    assert(!forwarded_client(&parse, &trusted, 1, &address));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    check_proxy_header((const char *)data, bytes);
    check_forwarded((const char *)data, bytes);
    return 0;
}
