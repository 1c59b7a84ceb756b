/* SPDX-License-Identifier: MIT */
/* nonce.c - see nonce.h. */
#include "worker/nonce.h"

#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

bool nonce_draw(char ret_nonce[static HERITAGE_NONCE_BYTES])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t random[HERITAGE_NONCE_BYTES];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    for (size_t i = 0; i < sizeof random; i++)
        ret_nonce[i] = digits[random[i] & 63];
    return true;
}

void nonce_put(char *data, size_t bytes, const char *mark, const char *nonce)
{
    char *at = data;
    const char *end = data + bytes;

    while ((at = memmem(at, (size_t)(end - at), mark, HERITAGE_NONCE_BYTES))) {
        memcpy(at, nonce, HERITAGE_NONCE_BYTES);
        at += HERITAGE_NONCE_BYTES;
    }
}

uint32_t nonce_mark_id(const char *mark)
{
    uint32_t id = (uint32_t)XXH3_64bits(mark, HERITAGE_NONCE_BYTES);

    return id ? id : 1;
}
