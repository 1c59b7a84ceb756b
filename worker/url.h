/* SPDX-License-Identifier: MIT */
/*
 * url.h - URLs after the WHATWG URL Standard: parse, change a part, serialize. Knows nothing of V8 or
 * HTTP; text is UTF-8 in and ASCII out. Names of states and algorithms are the standard's. Files:
 * url_parse.c (section 4.4), url_host.c (section 3), url_set.c (section 6.1), url_text.c (section 1.3).
 */
#ifndef SSRD_WORKER_URL_H
#define SSRD_WORKER_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows; keeps its memory when a URL is parsed into it again. */
struct url_text {
    char *data;
    size_t bytes;
    size_t cap_bytes;
};

#define URL_NO_PORT (-1)

/* Section 4.1. Zeroed memory is a valid empty one; url_done() gives its memory back. */
struct url {
    struct url_text scheme; /* without ":" */
    struct url_text username;
    struct url_text password;
    struct url_text host; /* serialized; meaningful when has_host */
    struct url_text path; /* serialized: "/a/b", or the opaque path */
    struct url_text query;
    struct url_text fragment;
    int32_t port; /* URL_NO_PORT: null */
    bool special;
    bool has_host;
    bool has_query;
    bool has_fragment;
    bool opaque;
    struct url_text href;    /* of url_serialize() */
    struct url_text scratch; /* input without tabs and line ends; hosts */
};

/* Where the parts are in the serialization; ends are exclusive.
 *
 * https://user:pass@example.com:1234/foo/bar?baz#quux
 *       |     |    |          | ^^^^|       |   |
 *       |     |    |          | |   |       |   hash_start
 *       |     |    |          | |   |       search_start
 *       |     |    |          | |   pathname_start
 *       |     |    |          | port
 *       |     |    |          host_end
 *       |     |    host_start (at the @, or where the host begins)
 *       |     username_end
 *       protocol_end
 */
struct url_offsets {
    uint32_t protocol_end;
    uint32_t username_end;
    uint32_t host_start;
    uint32_t host_end;
    uint32_t port; /* UINT32_MAX: none */
    uint32_t pathname_start;
    uint32_t search_start; /* UINT32_MAX: none */
    uint32_t hash_start;   /* UINT32_MAX: none */
};

enum url_part {
    URL_PROTOCOL,
    URL_USERNAME,
    URL_PASSWORD,
    URL_HOST,
    URL_HOSTNAME,
    URL_PORT,
    URL_PATHNAME,
    URL_SEARCH,
    URL_HASH,
};

/*
 * Section 4.4, "basic URL parser".
 * base: NULL, or a parsed one other than `url`.
 * 0 / -EINVAL: failure, `url` then holds nothing of use / -ENOMEM.
 */
int url_parse(struct url *url, const char *text, size_t bytes, const struct url *base);

/* Section 4.5. Valid until the next call with `url`. 0 / -ENOMEM / -EFBIG: 4 GiB and more. */
int url_serialize(struct url *url, struct url_offsets *ret_offsets);

/* Section 6.1, the setters: what they refuse leaves the URL as it was. 0 / -ENOMEM. */
int url_set(struct url *url, enum url_part part, const char *text, size_t bytes);

void url_done(struct url *url);

/* Section 3.3, "domain to ASCII" and back; result in *ret, which grows. 0 / -EINVAL / -ENOMEM. */
int url_domain_to_ascii(const char *text, size_t bytes, struct url_text *ret);
int url_domain_to_unicode(const char *text, size_t bytes, struct url_text *ret);

#ifdef __cplusplus
}
#endif
#endif
