/* SPDX-License-Identifier: MIT */
/*
 * condition.h - what a conditional request (RFC 9110 section 13) comes to, once the page is known that would be its
 * answer. Pure.
 */
#ifndef SSRD_WORKER_CONDITION_H
#define SSRD_WORKER_CONDITION_H

#include "shm/base.h"
#include "worker/http_parse.h"

enum condition {
    CONDITION_SEND,         /* all hold, or there are none */
    CONDITION_NOT_MODIFIED, /* 304 */
    CONDITION_FAILED        /* 412 */
};

/* What the page has to be compared with. */
struct condition_page {
    struct span etag; /* with quotes, and W/; bytes 0: none */
    bool has_date;    /* only needed where HTTP_CONDITIONS_DATED are */
    uint64_t modified_s;
};
#define HTTP_CONDITIONS_DATED (HTTP_IF_MODIFIED_SINCE | HTTP_IF_UNMODIFIED_SINCE | HTTP_IF_RANGE)

/* In the order of section 13.2.2. now_s: see http_date.h. For GET and HEAD, and a page of status 200. */
enum condition condition_judge(const struct http_parse *head, const struct condition_page *page,
                               uint64_t now_s);

/* May a Range be answered with a part? True without If-Range (section 13.1.5). */
bool condition_range(const struct http_parse *head, const struct condition_page *page,
                     uint64_t now_s);

/* Does a list of entity tags, or "*", name this one? Weak comparison: W/ does not matter; strong: there may be
 * none (section 8.8.3.2). */
bool condition_names(struct span list, struct span etag, bool strong);

#endif
