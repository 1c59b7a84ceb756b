/* SPDX-License-Identifier: MIT */
/*
 * page.c - builds and checks the relocatable form of a page. What a page means (freshness, purge,
 * key) is decided elsewhere.
 */
#include "shm/page.h"

#include "shm/page_checksum.h"

#include <errno.h>
#include <string.h>

#define PAGE_ALIGN 8u

const char *page_encoding_name(enum page_encoding encoding)
{
    static const char *const names[PAGE_ENCODINGS] = {
        [PAGE_IDENTITY] = "identity", [PAGE_GZIP] = "gzip", [PAGE_BR] = "br", [PAGE_ZSTD] = "zstd"};

    return names[encoding];
}

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + PAGE_ALIGN - 1) & ~(uint64_t)(PAGE_ALIGN - 1);
}

static bool etag_in_head(const struct page_variant_source *variant)
{
    const char *head = variant->head.data;
    const char *etag = variant->etag.data;

    return variant->etag.bytes == 0 ||
           ((uintptr_t)etag >= (uintptr_t)head &&
            (uintptr_t)etag + variant->etag.bytes <= (uintptr_t)head + variant->head.bytes);
}

/* Entries of the table. */
static unsigned table_count(unsigned encodings)
{
    return encodings > 1 ? 31 - (unsigned)__builtin_clz(encodings) : 0;
}

static unsigned encodings_of(const struct page_source *source)
{
    unsigned encodings = 0;

    for (unsigned i = 0; i < PAGE_VARIANTS_MAX; i++)
        encodings |= source->variant[i].head.data != NULL ? 1u << i : 0;
    return encodings;
}

size_t page_bytes(const struct page_source *source)
{
    uint64_t bytes =
        sizeof(struct page) + table_count(encodings_of(source)) * sizeof(struct page_variant);

    if (source->key.bytes > PAGE_KEY_BYTES_MAX || source->tag_count > PAGE_TAGS_MAX ||
        (uint64_t)source->path_offset_in_key + source->path_bytes > source->key.bytes)
        return 0;
    bytes += aligned(source->key.bytes) + source->tag_count * sizeof(uint64_t);
    for (int i = 0; i < PAGE_VARIANTS_MAX; i++) {
        const struct page_variant_source *variant = &source->variant[i];

        if (variant->head.data == NULL)
            continue;
        if (variant->head.bytes > UINT32_MAX || variant->body.bytes > UINT32_MAX ||
            variant->etag.bytes > UINT32_MAX)
            return 0;
        bytes += aligned(variant->head.bytes) + aligned(variant->body.bytes);
        if (!etag_in_head(variant))
            bytes += aligned(variant->etag.bytes);
    }
    return bytes > UINT32_MAX - PAGE_ALIGN ? 0 : (size_t)bytes;
}

/* Append bytes and zeroes up to the next aligned offset (equal sources give equal pages). */
static uint32_t append(struct page *buf, uint32_t *offset, const void *data, size_t bytes)
{
    unsigned char *at = (unsigned char *)buf + *offset;
    uint32_t start = *offset;
    size_t padded = (size_t)aligned(bytes);

    if (bytes > 0)
        memcpy(at, data, bytes);
    memset(at + bytes, 0, padded - bytes);
    *offset += (uint32_t)padded;
    return start;
}

/* Of one run of bytes, the struct's other fields included: a flipped body_offset would serve the wrong
 * bytes. */
static uint64_t checksum_of(const struct page *page)
{
    static_assert(offsetof(struct page, checksum) == 0, "the rest is one run of bytes");
    return page_checksum((const char *)page + sizeof page->checksum,
                         page->bytes - sizeof page->checksum);
}

static void build_variant(const struct page_variant_source *from, struct page *buf,
                          uint32_t *offset, struct page_variant *to)
{
    to->head_bytes = (uint32_t)from->head.bytes;
    to->head_offset = append(buf, offset, from->head.data, from->head.bytes);
    to->body_bytes = (uint32_t)from->body.bytes;
    to->body_offset = append(buf, offset, from->body.data, from->body.bytes);
    to->etag_bytes = (uint32_t)from->etag.bytes;
    if (from->etag.bytes == 0)
        to->etag_offset = to->head_offset;
    else if (etag_in_head(from))
        to->etag_offset = to->head_offset + (uint32_t)(from->etag.data - from->head.data);
    else
        to->etag_offset = append(buf, offset, from->etag.data, from->etag.bytes);
}

void page_build(const struct page_source *source, struct page *buf)
{
    static const struct page_variant none[PAGE_VARIANTS_MAX];
    uint32_t offset = sizeof *buf;
    struct page_variant *table;

    memset(buf, 0, sizeof *buf);
    buf->magic = PAGE_MAGIC;
    buf->hash = source->hash;
    buf->path_hash = source->path_hash;
    buf->epoch = source->epoch;
    buf->edition = source->edition;
    buf->stored_ms = source->stored_ms;
    buf->fresh_until_ms = source->fresh_until_ms;
    buf->swr_until_ms = source->swr_until_ms;
    buf->sie_until_ms = source->sie_until_ms;
    buf->render_us = source->render_us;
    buf->age_s = source->age_s;
    buf->flags = source->flags;
    buf->nonce = source->nonce;
    buf->status = source->status;
    buf->tag_count = (uint32_t)source->tag_count;
    buf->encodings = (uint16_t)encodings_of(source);
    buf->key_bytes = (uint32_t)source->key.bytes;
    (void)append(buf, &offset, source->key.data, source->key.bytes);
    buf->path_offset = (uint32_t)sizeof *buf + source->path_offset_in_key;
    buf->path_bytes = source->path_bytes;
    (void)append(buf, &offset, source->tags, source->tag_count * sizeof(uint64_t));
    buf->variants_offset = append(buf, &offset, none, table_count(buf->encodings) * sizeof *none);
    table = (struct page_variant *)(void *)((char *)buf + buf->variants_offset);
    for (unsigned i = 0; i < PAGE_VARIANTS_MAX; i++) {
        if (page_has(buf, i))
            build_variant(&source->variant[i], buf, &offset,
                          i == PAGE_IDENTITY ? &buf->identity : &table[i - 1]);
    }
    buf->bytes = offset;
    buf->checksum = checksum_of(buf);
}

/* Is [offset, offset + bytes) behind the struct and inside the page? Empty parts may end it. */
static bool part_inside(const struct page *page, uint32_t offset, uint64_t bytes)
{
    return offset >= sizeof *page && offset + bytes <= page->bytes;
}

/* One that is absent is no bytes, wherever it says they are. */
static bool variant_inside(const struct page *page, unsigned encoding)
{
    const struct page_variant *variant = page_variant(page, encoding);

    if (!page_has(page, encoding))
        return variant->head_bytes == 0 && variant->body_bytes == 0 && variant->etag_bytes == 0;
    return part_inside(page, variant->head_offset, variant->head_bytes) &&
           part_inside(page, variant->body_offset, variant->body_bytes) &&
           part_inside(page, variant->etag_offset, variant->etag_bytes);
}

int page_check_struct(const struct page *page, size_t bytes)
{
    uint64_t key_end;

    if (bytes < sizeof *page || page->magic != PAGE_MAGIC || page->bytes > bytes ||
        page->bytes % PAGE_ALIGN != 0)
        return -EINVAL;
    if (page->key_bytes > PAGE_KEY_BYTES_MAX || page->tag_count > PAGE_TAGS_MAX)
        return -EINVAL;
    key_end = sizeof *page + (uint64_t)page->key_bytes;
    if (page->path_offset < sizeof *page ||
        (uint64_t)page->path_offset + page->path_bytes > key_end)
        return -EINVAL;
    if (page->variants_offset != aligned(key_end) + page->tag_count * sizeof(uint64_t) ||
        !part_inside(page, page->variants_offset,
                     table_count(page->encodings) * sizeof(struct page_variant)))
        return -EINVAL;
    return 0;
}

int page_check(const struct page *page, size_t bytes, bool with_checksum)
{
    if (page_check_struct(page, bytes) != 0)
        return -EINVAL;
    for (unsigned i = 0; i <= table_count(page->encodings); i++) {
        if (!variant_inside(page, i))
            return -EINVAL;
    }
    if (with_checksum && page->checksum != checksum_of(page))
        return -EINVAL;
    return 0;
}
