/* SPDX-License-Identifier: MIT */
/* nonce.c - see nonce.h. */
#include "worker/nonce.h"

#include <mimalloc.h>
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

bool nonce_has_mark(struct span text, const char *mark)
{
    return *mark && text.bytes > 0 && memmem(text.data, text.bytes, mark, HERITAGE_NONCE_BYTES);
}

/* At the end of the text: how much may be the beginning of a mark. */
static size_t begun_bytes(const char *text, size_t bytes, const char *mark)
{
    size_t most = bytes < HERITAGE_NONCE_BYTES ? bytes : HERITAGE_NONCE_BYTES - 1;

    for (size_t n = most; n > 0; n--)
        if (memcmp(text + bytes - n, mark, n) == 0)
            return n;
    return 0;
}

bool nonce_stream_add(struct nonce_stream *s, struct span part, bool is_last, struct span *ret_out)
{
    size_t bytes = s->held_bytes + part.bytes;
    size_t held;

    if (!s->mark) {
        *ret_out = part;
        return true;
    }
    if (bytes > s->cap_bytes) {
        size_t cap = bytes * 2;
        char *buf = mi_realloc(s->buf, cap);

        if (!buf)
            return false;
        s->buf = buf;
        s->cap_bytes = cap;
    }
    if (s->held_bytes > 0)
        memmove(s->buf, s->buf + s->held_at, s->held_bytes);
    if (part.bytes > 0)
        memcpy(s->buf + s->held_bytes, part.data, part.bytes);
    nonce_put(s->buf, bytes, s->mark, s->nonce);
    held = is_last ? 0 : begun_bytes(s->buf, bytes, s->mark);
    s->held_bytes = held;
    s->held_at = bytes - held;
    *ret_out = (struct span){s->buf, bytes - held};
    return true;
}

void nonce_stream_done(struct nonce_stream *s)
{
    mi_free(s->buf);
    *s = (struct nonce_stream){.mark = NULL};
}

uint32_t nonce_mark_id(const char *mark)
{
    uint32_t id = (uint32_t)XXH3_64bits(mark, HERITAGE_NONCE_BYTES);

    return id ? id : 1;
}
