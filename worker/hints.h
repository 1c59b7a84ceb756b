/* SPDX-License-Identifier: MIT */
/*
 * hints.h - what pages have told browsers to load first, remembered by URL for 103 Early Hints (RFC
 * 8297). One thread. Whose links may be remembered: worker/README.md, "Early hints".
 */
#ifndef SSRD_WORKER_HINTS_H
#define SSRD_WORKER_HINTS_H

#include "shm/config.h"
#include "worker/http_reply.h"
#include "worker/js.h"

struct hints;

#define HINTS_BYTES_MAX 2048u /* of one page */

struct hints *hints_new(void);        /* NULL: out of memory */
void hints_free(struct hints *hints); /* takes NULL */

/*
 * Of a Link field's value (RFC 8288 section 3) the links that browsers act on before the page is there:
 * preload, modulepreload, preconnect. They are appended with ", " between; what does not fit is left out. NULL or the
 * folders of files: only links to these. Pure.
 */
void hints_pick(struct span link, const struct config_static_list *only, struct reply_text *text);

/* A page has been rendered: remember its links, or that it has none. only: as above. */
void hints_note(struct hints *hints, uint64_t hash, const struct js_result *result,
                const struct config_static_list *only);

/* The value of Link; bytes 0: nothing is known. Valid until the next hints_note(). */
struct span hints_get(const struct hints *hints, uint64_t hash);

#endif
