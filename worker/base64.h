/* SPDX-License-Identifier: MIT */
/* base64.h - base64 for atob and btoa. Knows nothing of V8. */
#ifndef SSRD_WORKER_BASE64_H
#define SSRD_WORKER_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* RFC 4648, section 4, with padding. Room at `to`: base64_room(bytes). Returns bytes written. */
size_t base64_write(const uint8_t *from, size_t bytes, char *to);

static inline size_t base64_room(size_t bytes)
{
    return (bytes + 2) / 3 * 4;
}

/* Infra Standard, section 7, "forgiving-base64 decode", in place. False: it is not base64. */
bool base64_read(uint8_t *text, size_t bytes, size_t *ret_bytes);

#ifdef __cplusplus
}
#endif
#endif
