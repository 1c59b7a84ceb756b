/* SPDX-License-Identifier: MIT */
/*
 * conn_out.h - from answers to the socket: gathers them in the worker's one batch, writes it with
 * one system call, and keeps with the connection what the socket did not take.
 */
#ifndef SSRD_WORKER_CONN_OUT_H
#define SSRD_WORKER_CONN_OUT_H

#include "shm/base.h"
#include "worker/http_reply.h"

struct conn;
struct hot_page;
struct http;
struct unsent;

/* An open file that answers are sent from; closed when the last holder lets go. */
struct out_file {
    int fd;
    uint32_t holders;
};

/* Bodies up to this are copied beside their heads, larger ones are pointed to: perf note in
 * worker/README.md, "Writing". */
#define OUT_COPY_BYTES 16384u

/* Is there room for one more answer of any kind? If not: flush first. */
bool out_has_room(const struct http *http);

/* A writer at the end of the batch's text; out_end() takes in what was written. */
struct reply_text out_begin(struct http *http);
void out_end(struct http *http, const struct reply_text *text);

/* Bytes that lie in page, which is held until they are sent, unless they are few enough to copy. */
void out_body(struct http *http, struct hot_page *page, const char *data, size_t bytes);

/* The caller is its one holder. Takes fd. NULL: out of memory; fd is closed. */
struct out_file *out_file_new(int fd);
void out_file_release(struct out_file *file); /* takes NULL */

/* Bytes of a file, held until they are sent. Only with room in the batch. */
void out_from_file(struct http *http, struct out_file *file, uint64_t offset, uint64_t bytes);

/* Write the batch, or append it to conn->unsent if that has not gone yet: answers keep their order.
 * 0: all of it is sent / -EAGAIN: the rest stands in conn->unsent / other negative errno: the
 * connection is of no more use. The batch is empty afterwards. */
int out_flush(struct conn *conn);

/* Write on conn->unsent. 0: all sent / -EAGAIN / other negative errno. */
int out_resume(struct conn *conn);

void unsent_free(struct unsent *unsent); /* takes NULL */

#endif
