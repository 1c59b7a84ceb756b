/* SPDX-License-Identifier: MIT */
/*
 * page.c - builds and checks the relocatable form of a page. What a page means (freshness, purge,
 * key) is decided elsewhere.
 */
#include "shm/page.h"

#include "shm/page_checksum.h"
#include "shm/purge.h"

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

#define TAG_LENGTH_BYTES sizeof(uint16_t)

/* With a length before each; more than any page may have when there are too many. */
static size_t tag_text_bytes(const struct page_source *source)
{
    size_t bytes = 0;

    for (size_t i = 0; i < source->tag_count && bytes <= PAGE_TAG_TEXT_BYTES_MAX; i++)
        bytes += TAG_LENGTH_BYTES + source->tags[i].bytes;
    return bytes;
}

size_t page_bytes(const struct page_source *source)
{
    uint64_t bytes =
        sizeof(struct page) + table_count(encodings_of(source)) * sizeof(struct page_variant);

    if (source->key.bytes > PAGE_KEY_BYTES_MAX || source->tag_count > PAGE_TAGS_MAX ||
        tag_text_bytes(source) > PAGE_TAG_TEXT_BYTES_MAX ||
        (uint64_t)source->path_offset_in_key + source->path_bytes > source->key.bytes)
        return 0;
    bytes += aligned(source->key.bytes) + aligned(tag_text_bytes(source)) +
             source->tag_count * sizeof(uint64_t);
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

/* Texts, then hashes. */
static void append_tags(const struct page_source *source, struct page *buf, uint32_t *offset)
{
    char text[PAGE_TAG_TEXT_BYTES_MAX];
    uint64_t hash[PAGE_TAGS_MAX];
    size_t bytes = 0;

    for (size_t i = 0; i < source->tag_count; i++) {
        uint16_t length = (uint16_t)source->tags[i].bytes;

        memcpy(text + bytes, &length, sizeof length);
        if (length > 0)
            memcpy(text + bytes + sizeof length, source->tags[i].data, length);
        bytes += sizeof length + length;
        hash[i] = purge_tag_hash(source->tags[i].data, length);
    }
    buf->tag_count = (uint16_t)source->tag_count;
    buf->tag_text_bytes = (uint16_t)bytes;
    (void)append(buf, offset, text, bytes);
    (void)append(buf, offset, hash, source->tag_count * sizeof hash[0]);
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
    buf->encodings = (uint16_t)encodings_of(source);
    buf->key_bytes = (uint32_t)source->key.bytes;
    (void)append(buf, &offset, source->key.data, source->key.bytes);
    buf->path_offset = (uint32_t)sizeof *buf + source->path_offset_in_key;
    buf->path_bytes = source->path_bytes;
    append_tags(source, buf, &offset);
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
    if (page->key_bytes > PAGE_KEY_BYTES_MAX || page->tag_count > PAGE_TAGS_MAX ||
        page->tag_text_bytes > PAGE_TAG_TEXT_BYTES_MAX)
        return -EINVAL;
    key_end = sizeof *page + (uint64_t)page->key_bytes;
    if (page->path_offset < sizeof *page ||
        (uint64_t)page->path_offset + page->path_bytes > key_end)
        return -EINVAL;
    if (page->variants_offset !=
            aligned(key_end) + aligned(page->tag_text_bytes) + page->tag_count * sizeof(uint64_t) ||
        !part_inside(page, page->variants_offset,
                     table_count(page->encodings) * sizeof(struct page_variant)))
        return -EINVAL;
    return 0;
}

bool page_next_tag(const struct page *page, uint32_t *at, struct span *ret_text)
{
    const char *texts = page_at(page, (uint32_t)aligned(sizeof *page + (uint64_t)page->key_bytes));
    uint16_t length;

    if (page->tag_text_bytes < *at + TAG_LENGTH_BYTES)
        return false;
    memcpy(&length, texts + *at, sizeof length);
    if (page->tag_text_bytes - *at - TAG_LENGTH_BYTES < length)
        return false;
    *ret_text = (struct span){texts + *at + TAG_LENGTH_BYTES, length};
    *at += (uint32_t)(TAG_LENGTH_BYTES + length);
    return true;
}

size_t page_tag_texts(const struct page *page, struct span ret_texts[static PAGE_TAGS_MAX])
{
    uint32_t at = 0;
    size_t count = 0;

    while (count < PAGE_TAGS_MAX && page_next_tag(page, &at, &ret_texts[count]))
        count++;
    return count;
}

/* A text for each hash, and nothing behind the last. */
static bool tags_whole(const struct page *page)
{
    struct span text;
    uint32_t at = 0;

    for (unsigned i = 0; i < page->tag_count; i++) {
        if (!page_next_tag(page, &at, &text))
            return false;
    }
    return at == page->tag_text_bytes;
}

int page_check(const struct page *page, size_t bytes, bool with_checksum)
{
    if (page_check_struct(page, bytes) != 0 || !tags_whole(page))
        return -EINVAL;
    for (unsigned i = 0; i <= table_count(page->encodings); i++) {
        if (!variant_inside(page, i))
            return -EINVAL;
    }
    if (with_checksum && page->checksum != checksum_of(page))
        return -EINVAL;
    return 0;
}
