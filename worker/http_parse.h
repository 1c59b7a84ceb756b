/* SPDX-License-Identifier: MIT */
/*
 * http_parse.h - one HTTP/1.x request from bytes: llhttp does the state machine, checks of our own
 * make it strict (RFC 9112), and what the server needs to know of the head is picked out. Knows
 * nothing of connections; never allocates. Positions are offsets from the first byte of the head,
 * so the bytes may move between calls. Why the own checks are there: worker/README.md, "Parsing".
 */
#ifndef SSRD_WORKER_HTTP_PARSE_H
#define SSRD_WORKER_HTTP_PARSE_H

#include "shm/base.h"

#include <llhttp.h>

#define HTTP_FIELDS_MAX 128
#define HTTP_TARGET_BYTES_MAX 8192
#define HTTP_HOST_BYTES_MAX 255
#define HTTP_CHUNK_SLACK_BYTES 65536 /* chunk headers and trailers that are borne with */

struct http_limits {
    uint64_t head_bytes;
    uint64_t body_bytes;
};

typedef bool http_body_sink(void *arg, const char *data, size_t bytes);

struct http_field {
    uint32_t name; /* offset; the name as sent, any case */
    uint32_t name_bytes;
    uint32_t value; /* offset, without the white space around */
    uint32_t value_bytes;
};

/* Which fields of RFC 9110 sections 13.1 and 14.2 a request has. */
enum http_condition {
    HTTP_IF_MATCH = 1,
    HTTP_IF_NONE_MATCH = 2,
    HTTP_IF_MODIFIED_SINCE = 4,
    HTTP_IF_UNMODIFIED_SINCE = 8,
    HTTP_IF_RANGE = 16,
    HTTP_RANGE = 32,
};

#define HTTP_NONE (-1)
#define HTTP_SEVERAL (-2) /* nobody sends two: as good as none */

/* Where in the trailers of a chunked body it is. */
enum http_trailer {
    TRAILER_NOT_YET,
    TRAILER_LINE,  /* at the beginning of a line */
    TRAILER_FIELD, /* in the midst of one */
    TRAILER_RETURN,
    TRAILER_LAST_RETURN, /* of the empty line */
};

struct http_parse {
    llhttp_t llhttp;
    const struct http_limits *limits;
    const char *base;     /* first byte of the head */
    uint32_t fed_bytes;   /* of the head, so far */
    uint32_t head_bytes;  /* once complete, the empty line included */
    uint64_t body_bytes;  /* so far, decoded */
    uint64_t raw_bytes;   /* of the body so far, as sent */
    http_body_sink *sink; /* during http_parse_body() */
    void *sink_arg;
    uint64_t content_length;

    uint32_t target; /* path and query; for absolute-form what follows the authority */
    uint32_t target_bytes;
    uint32_t path_bytes; /* of the target, without the query */
    uint32_t host;       /* host[:port], not lower-cased; 0 bytes: HTTP/1.0 without one */
    uint32_t host_bytes;

    uint8_t method; /* enum llhttp_method */
    uint8_t minor;  /* HTTP/1.minor */
    bool asterisk;  /* OPTIONS *: the target is "*" */
    bool keep_alive;
    bool has_body; /* Content-Length above 0, or chunked */
    bool chunked;
    bool expect_continue;
    bool forwarded; /* it has X-Forwarded-..., or Forwarded */
    bool believed;  /* and they come from a proxy of ours: forwarded.h */
    bool https;     /* by which the client came to that proxy, or the URL that a back end gave */
    bool in_name;
    bool folded;
    bool complete;      /* llhttp has seen the end of the message */
    bool has_extension; /* the name or value of a chunk extension that is being read has a byte */
    uint8_t trailer;    /* enum http_trailer */

    uint16_t status;         /* what to answer to a request that was refused */
    const char *reason;      /* a literal; goes to the client */
    uint8_t conditions;      /* enum http_condition */
    int16_t accept_encoding; /* the only such field, or: */

    uint16_t field_count;
    struct http_field field[HTTP_FIELDS_MAX]; /* last: copies are cut behind field_count */
};

enum http_progress {
    HTTP_MORE,   /* all bytes taken, more are needed */
    HTTP_WHOLE,  /* head, or body, complete */
    HTTP_REFUSED /* status and reason say why */
};

/* host[:port] as a Host field may have it? (RFC 9110 section 7.2) */
bool http_parse_is_host(struct span text);

/* limits: kept. */
void http_parse_init(struct http_parse *parse, const struct http_limits *limits);

/*
 * Feed the head. base: its first byte; have_bytes: all that has arrived of it and maybe more, those
 * fed before included and unchanged. HTTP_WHOLE: head_bytes tells where the head ends; what follows
 * is the body or the next request.
 */
enum http_progress http_parse_head(struct http_parse *parse, const char *base, size_t have_bytes);

/*
 * Feed bytes of the body, after HTTP_WHOLE of a head with has_body. sink: called with decoded
 * pieces, borrowed for the call, may be NULL; false ends with 500. ret_used: bytes taken, set
 * whatever is returned.
 */
enum http_progress http_parse_body(struct http_parse *parse, const char *data, size_t bytes,
                                   http_body_sink *sink, void *arg, size_t *ret_used);

/* Bytes of a copy of a parse with a whole head: the unused fields are cut off. */
size_t http_parse_bytes(const struct http_parse *parse);

const char *http_method_text(uint8_t method);

/* The next field of this name (lower case) at or behind index `from`; -1: none. */
int http_parse_find(const struct http_parse *parse, const char *name, size_t name_bytes, int from);

static inline struct span http_parse_at(const struct http_parse *parse, uint32_t offset,
                                        uint32_t bytes)
{
    return (struct span){parse->base + offset, bytes};
}

static inline struct span http_parse_name(const struct http_parse *parse, int i)
{
    return http_parse_at(parse, parse->field[i].name, parse->field[i].name_bytes);
}

static inline struct span http_parse_value(const struct http_parse *parse, int i)
{
    return http_parse_at(parse, parse->field[i].value, parse->field[i].value_bytes);
}

static inline struct span http_parse_target(const struct http_parse *parse)
{
    return http_parse_at(parse, parse->target, parse->target_bytes);
}

static inline struct span http_parse_host(const struct http_parse *parse)
{
    return http_parse_at(parse, parse->host, parse->host_bytes);
}

#endif
