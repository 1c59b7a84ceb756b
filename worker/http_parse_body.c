/* SPDX-License-Identifier: MIT */
/*
 * http_parse_body.c - the body of a request (RFC 9112 sections 6, 7): http_parse_body() of http_parse.h, and llhttp's callbacks for
 * it. Sizes are bounded here; trailers, of which llhttp 8.1 takes more than the grammar has, are looked at twice.
 */
#include "worker/http_parse_body.h"

int http_on_body(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct http_parse *p = llhttp->data;

    p->body_bytes += bytes;
    if (p->body_bytes > p->limits->body_bytes) {
        (void)http_parse_refuse(p, 413, "the request body is too large");
        return HPE_USER;
    }
    if (p->sink && !p->sink(p->sink_arg, at, bytes)) {
        (void)http_parse_refuse(p, 503, "there is no room for the request body");
        return HPE_USER;
    }
    return 0;
}

/* What will be too large is refused before it has come. */
static int refuse_large(llhttp_t *llhttp)
{
    struct http_parse *p = llhttp->data;

    if (llhttp->content_length > p->limits->body_bytes - p->body_bytes) {
        (void)http_parse_refuse(p, 413, "the request body is too large");
        return HPE_USER;
    }
    return 0;
}

/* Behind the last chunk's header come trailers, which are looked at twice (check_trailer()). */
int http_on_chunk_header(llhttp_t *llhttp)
{
    int refused = refuse_large(llhttp);

    return refused || llhttp->content_length > 0 ? refused : HPE_PAUSED;
}

/* Names and values of chunk extensions have at least one character (RFC 9112 section 7.1.1); llhttp 8.1 takes "0;;a" and "0;a=". */
int http_on_chunk_extension(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct http_parse *p = llhttp->data;

    (void)at;
    p->has_extension = p->has_extension || bytes > 0;
    return 0;
}

int http_on_chunk_extension_complete(llhttp_t *llhttp)
{
    struct http_parse *p = llhttp->data;

    if (!p->has_extension) {
        (void)http_parse_refuse(p, 400, "the request body is malformed");
        return HPE_USER;
    }
    p->has_extension = false;
    return 0;
}

int http_on_message_complete(llhttp_t *llhttp)
{
    struct http_parse *p = llhttp->data;

    p->complete = true;
    return HPE_PAUSED;
}

/*
 * Of trailers llhttp 8.1 takes lines that end with LF alone, fold, or have no name. Their lines once more, as the head's seams:
 * each begins with what may begin a name, or is the empty one, and ends with CRLF.
 */
static bool check_trailer(struct http_parse *p, const char *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        bool was_return = p->trailer == TRAILER_RETURN || p->trailer == TRAILER_LAST_RETURN;

        if (was_return != (data[i] == '\n'))
            return false;
        if (was_return)
            p->trailer = TRAILER_LINE;
        else if (data[i] == '\r')
            p->trailer = p->trailer == TRAILER_LINE ? TRAILER_LAST_RETURN : TRAILER_RETURN;
        else if (p->trailer == TRAILER_LINE && !http_is_token_char((unsigned char)data[i]))
            return false;
        else
            p->trailer = TRAILER_FIELD;
    }
    return true;
}

/* Feeds llhttp, up to where a callback pauses or the end of these bytes. */
static enum llhttp_errno feed_body(struct http_parse *p, const char *data, size_t bytes,
                                   size_t *ret_used)
{
    enum llhttp_errno error;

    if (llhttp_get_errno(&p->llhttp) == HPE_PAUSED)
        llhttp_resume(&p->llhttp);
    error = llhttp_execute(&p->llhttp, data, bytes);
    *ret_used = error == HPE_OK ? bytes : (size_t)(llhttp_get_error_pos(&p->llhttp) - data);
    return error;
}

enum http_progress http_parse_body(struct http_parse *p, const char *data, size_t bytes,
                                   http_body_sink *sink, void *arg, size_t *ret_used)
{
    enum llhttp_errno error;
    bool in_trailer = p->trailer != TRAILER_NOT_YET;
    size_t from = 0;

    p->llhttp.data = p;
    p->sink = sink;
    p->sink_arg = arg;
    error = feed_body(p, data, bytes, ret_used);
    if (error == HPE_PAUSED && !p->complete) { /* behind the last chunk's header */
        from = *ret_used;
        in_trailer = true;
        p->trailer = TRAILER_LINE;
        error = feed_body(p, data + from, bytes - from, ret_used);
        *ret_used += from;
    }
    p->raw_bytes += *ret_used;
    if (in_trailer && (error == HPE_OK || error == HPE_PAUSED) &&
        !check_trailer(p, data + from, *ret_used - from))
        return http_parse_refuse(p, 400, "the request body is malformed");
    if (error == HPE_PAUSED)
        return HTTP_WHOLE;
    if (error != HPE_OK && p->status != 0) /* a callback's, which has said why */
        return HTTP_REFUSED;
    if (error != HPE_OK)
        return http_parse_refuse(p, 400, "the request body is malformed");
    if (p->raw_bytes > HTTP_CHUNK_SLACK_BYTES + 8 * p->body_bytes)
        return http_parse_refuse(p, 413, "the request body is mostly chunk headers and trailers");
    return HTTP_MORE;
}
