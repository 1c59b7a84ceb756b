/* SPDX-License-Identifier: MIT */
/* portable.c - see portable.h. */
#include "worker/portable.h"

#include "shm/page.h"

#include <errno.h>
#include <string.h>

#define PORTABLE_MAGIC 0x31425254u /* "TRB1" */

struct portable_head {
    uint32_t magic;
    uint8_t kind;
    uint8_t was_stale;
    uint8_t believed;
    uint8_t https;
    char id[PORTABLE_ID_BYTES];
    uint32_t key_bytes;
    uint32_t primary_bytes;
    uint32_t path_offset;
    uint32_t path_bytes;
    uint32_t data_bytes;
    uint32_t head_bytes;
};

static char *append(char *at, const char *data, size_t bytes)
{
    if (bytes > 0)
        memcpy(at, data, bytes);
    return at + bytes;
}

size_t portable_write(const struct portable *p, void *buf, size_t cap_bytes)
{
    struct portable_head head = {
        .magic = PORTABLE_MAGIC,
        .kind = p->kind,
        .was_stale = p->was_stale,
        .believed = p->believed,
        .https = p->https,
        .key_bytes = (uint32_t)p->key.bytes,
        .primary_bytes = p->key.primary_bytes,
        .path_offset = p->key.path_offset,
        .path_bytes = p->key.path_bytes,
        .data_bytes = (uint32_t)p->data.bytes,
        .head_bytes = (uint32_t)p->head.bytes,
    };
    size_t bytes = sizeof head;
    char *at = buf;

    if (p->key.bytes > cap_bytes || p->data.bytes > cap_bytes || p->head.bytes > cap_bytes)
        return 0;
    bytes += p->key.bytes + p->data.bytes + p->head.bytes;
    if (bytes > cap_bytes)
        return 0;
    memcpy(head.id, p->id, sizeof head.id);
    at = append(at, (const char *)&head, sizeof head);
    at = append(at, p->key.data, p->key.bytes);
    at = append(at, p->data.data, p->data.bytes);
    (void)append(at, p->head.data, p->head.bytes);
    return bytes;
}

int portable_read(const void *buf, size_t bytes, struct portable *ret_portable)
{
    struct portable_head head;
    const char *at = (const char *)buf + sizeof head;

    if (bytes < sizeof head)
        return -EINVAL;
    memcpy(&head, buf, sizeof head);
    if (head.magic != PORTABLE_MAGIC || head.key_bytes > PAGE_KEY_BYTES_MAX ||
        head.primary_bytes > head.key_bytes || head.path_offset > head.key_bytes ||
        head.path_bytes > head.key_bytes - head.path_offset ||
        (uint64_t)head.key_bytes + head.data_bytes + head.head_bytes != bytes - sizeof head)
        return -EINVAL;
    *ret_portable = (struct portable){
        .kind = head.kind,
        .was_stale = head.was_stale != 0,
        .believed = head.believed != 0,
        .https = head.https != 0,
        .key = {.data = at,
                .bytes = head.key_bytes,
                .hash = head.key_bytes > 0 ? key_hash(at, head.key_bytes) : 0,
                .primary_bytes = head.primary_bytes,
                .path_offset = head.path_offset,
                .path_bytes = head.path_bytes},
        .data = {at + head.key_bytes, head.data_bytes},
        .head = {at + head.key_bytes + head.data_bytes, head.head_bytes},
    };
    memcpy(ret_portable->id, head.id, sizeof head.id);
    return 0;
}
