/* SPDX-License-Identifier: MIT */
/* conn_out.c - see conn_out.h. */
#include "worker/conn_out.h"

#include "worker/conn.h"
#include "worker/http_state.h"

#include <errno.h>
#include <mimalloc.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

/* Of a file in one go: a fast client must not keep the worker from the others. */
#define OUT_FILE_BYTES (512 * KIB)

/* Largest answer: a page's head, the lines beside it, a body that is copied. */
#define OUT_ANSWER_BYTES (HTTP_HEAD_BYTES_MAX + OUT_COPY_BYTES + 2048u)
static_assert(OUT_ANSWER_BYTES < HTTP_TEXT_BYTES, "an empty batch takes any answer");

struct unsent {
    struct unsent *next; /* answers of a render that ended before these were out */
    unsigned pieces;
    unsigned at; /* the first that is not sent in full */
    struct iovec piece[HTTP_PIECES];
    struct hot_page *held[HTTP_PIECES];
    struct out_file *file[HTTP_PIECES];
    char text[]; /* of the pieces that nobody holds */
};

bool out_has_room(const struct http *http)
{
    const struct http_batch *b = &http->batch;

    return b->text_bytes + OUT_ANSWER_BYTES <= HTTP_TEXT_BYTES && b->pieces + 3 <= HTTP_PIECES;
}

struct reply_text out_begin(struct http *http)
{
    struct http_batch *b = &http->batch;

    return (struct reply_text){b->text + b->text_bytes, 0, HTTP_TEXT_BYTES - b->text_bytes, false};
}

void out_end(struct http *http, const struct reply_text *text)
{
    struct http_batch *b = &http->batch;
    unsigned last = b->pieces - 1;

    assert(!text->overflow); /* out_has_room() was asked */
    if (text->bytes == 0)
        return;
    b->text_bytes += text->bytes;
    if (b->pieces > 0 && !b->held[last] && !b->file[last]) { /* text follows text without a gap */
        b->piece[last].iov_len += text->bytes;
        return;
    }
    b->piece[b->pieces] = (struct iovec){text->data, text->bytes};
    b->file[b->pieces] = NULL;
    b->held[b->pieces++] = NULL;
}

void out_body(struct http *http, struct hot_page *page, const char *data, size_t bytes)
{
    struct http_batch *b = &http->batch;

    if (bytes == 0)
        return;
    if (bytes <= OUT_COPY_BYTES) {
        struct reply_text text = out_begin(http);

        reply_add(&text, data, bytes);
        out_end(http, &text);
        return;
    }
    b->piece[b->pieces] = (struct iovec){(void *)(uintptr_t)data, bytes};
    b->file[b->pieces] = NULL;
    b->held[b->pieces++] = hot_hold(page);
}

struct out_file *out_file_new(int fd)
{
    struct out_file *file = mi_malloc(sizeof *file);

    if (!file) {
        (void)close(fd);
        return NULL;
    }
    *file = (struct out_file){fd, 1};
    return file;
}

void out_file_release(struct out_file *file)
{
    if (!file || --file->holders > 0)
        return;
    (void)close(file->fd);
    mi_free(file);
}

void out_from_file(struct http *http, struct out_file *file, uint64_t offset, uint64_t bytes)
{
    struct http_batch *b = &http->batch;

    if (bytes == 0)
        return;
    file->holders++;
    b->piece[b->pieces] = (struct iovec){(void *)(uintptr_t)offset, bytes};
    b->file[b->pieces] = file;
    b->held[b->pieces++] = NULL;
}

static void clear(struct http_batch *b)
{
    for (unsigned i = 0; i < b->pieces; i++) {
        hot_release(b->held[i]);
        out_file_release(b->file[i]);
    }
    b->pieces = 0;
    b->text_bytes = 0;
}

static ssize_t send_file(int fd, const struct out_file *file, const struct iovec *piece)
{
    off_t offset = (off_t)(uintptr_t)piece->iov_base;
    size_t bytes = piece->iov_len < OUT_FILE_BYTES ? piece->iov_len : OUT_FILE_BYTES;
    ssize_t n;

    do {
        n = sendfile(fd, file->fd, &offset, bytes);
    } while (n < 0 && errno == EINTR);
    if (n == 0)
        return -EIO; /* the file has become shorter than we said: there is no right way to end */
    return n >= 0 ? n : -errno;
}

/* A run of pieces that lie in memory. more: a file follows, so no packet for these alone. */
static ssize_t send_run(int fd, struct iovec *piece, unsigned pieces, bool more)
{
    struct msghdr message = {.msg_iov = piece, .msg_iovlen = pieces};
    ssize_t n;

    do {
        n = sendmsg(fd, &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    } while (n < 0 && errno == EINTR);
    return n >= 0 ? n : -errno;
}

/* Bytes taken, of as many pieces as one call takes, or negative errno. */
static ssize_t send_pieces(int fd, struct iovec *piece, struct out_file *const *file,
                           unsigned pieces)
{
    unsigned run = 0;
    ssize_t n;

    if (unlikely(file[0] != NULL))
        return send_file(fd, file[0], piece);
    if (likely(pieces == 1)) {
        do {
            n = send(fd, piece->iov_base, piece->iov_len, MSG_NOSIGNAL);
        } while (n < 0 && errno == EINTR);
        return n >= 0 ? n : -errno;
    }
    while (run < pieces && !file[run])
        run++;
    return send_run(fd, piece, run, run < pieces);
}

/* Step over sent bytes, letting go of what was sent in full; returns the first piece that was not.
 */
static unsigned skip(struct iovec *piece, struct hot_page **held, struct out_file **file,
                     unsigned at, unsigned pieces, size_t sent)
{
    for (; at < pieces && sent >= piece[at].iov_len; at++) {
        sent -= piece[at].iov_len;
        hot_release(held[at]);
        held[at] = NULL;
        out_file_release(file[at]);
        file[at] = NULL;
    }
    if (at < pieces) {
        piece[at].iov_base = (char *)piece[at].iov_base + sent;
        piece[at].iov_len -= sent;
    }
    return at;
}

/* Move pieces [at, end) of the batch to memory of the connection, behind what is there already. */
static int keep_rest(struct conn *conn, struct http_batch *b, unsigned at)
{
    size_t text_bytes = 0;
    struct unsent **last = &conn->unsent;
    struct unsent *u;
    char *text;

    while (*last)
        last = &(*last)->next;
    for (unsigned i = at; i < b->pieces; i++)
        if (!b->held[i] && !b->file[i])
            text_bytes += b->piece[i].iov_len;
    u = mi_malloc(sizeof *u + text_bytes);
    if (!u)
        return -ENOMEM;
    u->next = NULL;
    u->at = 0;
    u->pieces = 0;
    text = u->text;
    for (unsigned i = at; i < b->pieces; i++) {
        struct iovec *piece = &u->piece[u->pieces];

        *piece = b->piece[i];
        u->file[u->pieces] = b->file[i];
        u->held[u->pieces++] = b->held[i];
        if (b->held[i] || b->file[i]) {
            b->held[i] = NULL; /* the hold moves along */
            b->file[i] = NULL;
            continue;
        }
        memcpy(text, piece->iov_base, piece->iov_len);
        piece->iov_base = text;
        text += piece->iov_len;
    }
    *last = u;
    return -EAGAIN;
}

int out_flush(struct conn *conn)
{
    struct http_batch *b = &conn->http->batch;
    unsigned at = 0;
    unsigned before;
    ssize_t n;
    int result = 0;

    if (b->pieces == 0)
        return 0;
    if (conn->unsent) { /* a render was faster than the client reads what stands ahead of it */
        result = keep_rest(conn, b, 0);
        clear(b);
        return result;
    }
    do {
        n = send_pieces(conn->fd, b->piece + at, b->file + at, b->pieces - at);
        if (n < 0 && n != -EAGAIN && n != -EWOULDBLOCK) {
            clear(b);
            return (int)n;
        }
        before = at;
        at = skip(b->piece, b->held, b->file, at, b->pieces, n > 0 ? (size_t)n : 0);
        /* once more only where a file begins or ends: else the socket is full */
    } while (unlikely(at < b->pieces && at > before && (b->file[at] || b->file[at - 1])));
    if (at < b->pieces)
        result = keep_rest(conn, b, at);
    clear(b);
    return result;
}

int out_resume(struct conn *conn)
{
    struct unsent *u;

    while ((u = conn->unsent)) {
        while (u->at < u->pieces) {
            bool is_file = u->file[u->at] != NULL;
            ssize_t n = send_pieces(conn->fd, u->piece + u->at, u->file + u->at, u->pieces - u->at);
            unsigned before = u->at;

            if (n < 0)
                return n == -EWOULDBLOCK ? -EAGAIN : (int)n;
            conn->unsent_gone += (uint64_t)n;
            u->at = skip(u->piece, u->held, u->file, u->at, u->pieces, (size_t)n);
            if (is_file && u->at == before)
                return -EAGAIN; /* others first */
        }
        conn->unsent = u->next;
        u->next = NULL;
        unsent_free(u);
    }
    return 0;
}

void unsent_free(struct unsent *unsent)
{
    while (unsent) {
        struct unsent *next = unsent->next;

        for (unsigned i = unsent->at; i < unsent->pieces; i++) {
            hot_release(unsent->held[i]);
            out_file_release(unsent->file[i]);
        }
        mi_free(unsent);
        unsent = next;
    }
}
