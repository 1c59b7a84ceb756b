/* SPDX-License-Identifier: MIT */
/*
 * fuzz_url.c - URLs from pages and requests. Beyond not crashing: what was parsed serializes to ASCII that parses
 * to itself, whatever base it was relative to and whichever setter was called with the same bytes.
 */
#include "shm/base.h"
#include "worker/url.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const char *const bases[] = {
    NULL, "http://u:p@h:1/a/b?c#d", "file:///C:/a/b", "x:opaque", "x://h/a", "x:/a"};

/* The serialization of `url` is its own. False: it is none, which setters of a non-special URL can bring about. */
static void check_itself(struct url *url)
{
    struct url again = {0};
    struct url_offsets offsets, other;

    assert(url_serialize(url, &offsets) == 0);
    for (size_t i = 0; i < url->href.bytes; i++) {
        uint8_t c = (uint8_t)url->href.data[i];
        bool in_host =
            i >= offsets.host_start && i < offsets.host_end; /* which may hold controls */
        assert((c >= ' ' && c < 0x7f) || in_host);
        assert(c != 0 && c != '\t' && c != '\n' && c != '\r');
    }
    assert(offsets.pathname_start <= url->href.bytes && offsets.host_end <= offsets.pathname_start);
    assert(url_parse(&again, url->href.data, url->href.bytes, NULL) == 0);
    assert(url_serialize(&again, &other) == 0);
    assert(again.href.bytes == url->href.bytes &&
           memcmp(again.href.data, url->href.data, again.href.bytes) == 0);
    assert(memcmp(&offsets, &other, sizeof offsets) == 0);
    url_done(&again);
}

/* Input: base, setter, length of the URL, the URL, the setter's text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct url url = {0}, base = {0};

    if (bytes < 3)
        return 0;
    const char *base_text = bases[data[0] % array_len(bases)];
    const char *text = (const char *)data + 3;
    size_t left = bytes - 3, count = data[2] < left ? data[2] : left;
    if (base_text)
        assert(url_parse(&base, base_text, strlen(base_text), NULL) == 0);
    if (url_parse(&url, text, count, base_text ? &base : NULL) == 0) {
        /* An opaque path may end in spaces, which a parser of the whole strips: not the same then. */
        if (!url.opaque || url.has_query || url.has_fragment || !url.path.bytes ||
            url.path.data[url.path.bytes - 1] != ' ') {
            check_itself(&url);
            assert(url_set(&url, (enum url_part)(data[1] % (URL_HASH + 1)), text + count,
                           left - count) == 0);
            if (!url.opaque)
                check_itself(&url);
        }
    }
    url_done(&url);
    url_done(&base);
    return 0;
}
