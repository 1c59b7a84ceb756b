/* SPDX-License-Identifier: MIT */
/*
 * fuzz_control.c - lines of the control socket. Beyond not crashing: what is accepted has the
 * fields that its command promises, and every URL in it either has a path inside its text or is
 * refused.
 */
#include "master/control_parse.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_url(const char *url)
{
    struct span path;

    if (control_url_path(url, &path) != 0)
        return;
    assert(path.bytes > 0 && path.data[0] == '/');
    /* "http://host" has its "/" from a literal */
    if (path.bytes > 1)
        assert(path.data >= url && path.data + path.bytes <= url + strlen(url));
}

static void check_urls(const json_t *urls)
{
    for (size_t i = 0; i < json_array_size(urls); i++) {
        assert(json_string_length(json_array_get(urls, i)) > 0);
        check_url(json_string_value(json_array_get(urls, i)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct control_request request;
    const char *why = NULL;

    if (control_parse((const char *)data, bytes, &request, &why) != 0) {
        assert(why != NULL);
        return 0;
    }
    assert(json_is_object(request.json));
    assert(request.verb != CONTROL_CACHE_GET || request.url != NULL);
    assert(request.verb != CONTROL_CACHE_LS || request.prefix != NULL);
    assert(request.verb != CONTROL_LOG || request.level != NULL);
    check_urls(request.urls);
    check_urls(request.prefixes);
    if (request.url != NULL)
        check_url(request.url);
    control_request_done(&request);
    return 0;
}
