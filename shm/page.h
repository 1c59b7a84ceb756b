/* SPDX-License-Identifier: MIT */
/*
 * page.h - one cached response as relocatable bytes, in all its encodings. The same bytes stand
 * in a hot cache (private memory) and in the cold one (shared memory), so filling one from the
 * other is a single copy. Shared by all workers.
 *
 * Layout, offsets from the start of the page, everything 8-byte aligned:
 *   struct page | key | tag texts | tag hashes (uint64_t each) | struct page_variant each | their heads and bodies
 * The key stands where its place is known before the struct has been read: who compares it waits for both
 * at once. Identity's variant is in the struct, the others in a table as long as the page needs.
 *
 * Pages copied out of shared memory or a file are foreign bytes: page_check() them before use.
 */
#ifndef SSRD_SHM_PAGE_H
#define SSRD_SHM_PAGE_H

#include "shm/base.h"

/* Those that can be made and asked for. A page has room for more, so that an encoding to come (RFC 9842's
 * dictionaries) needs no other kind of page: all variants are stored, found, purged and evicted as one. */
enum page_encoding { PAGE_IDENTITY, PAGE_GZIP, PAGE_BR, PAGE_ZSTD, PAGE_ENCODINGS };
#define PAGE_VARIANTS_MAX 16
static_assert(PAGE_ENCODINGS <= PAGE_VARIANTS_MAX, "each has a place");

/* As Content-Encoding has it; "identity" for none. */
const char *page_encoding_name(enum page_encoding encoding);

#define PAGE_MAGIC 0x45474150u /* "PAGE" */
#define PAGE_TAGS_MAX 64
/* Of all texts together, with the length before each: 64 of 256 bytes, which is what `cache.tags` takes. */
#define PAGE_TAG_TEXT_BYTES_MAX (PAGE_TAGS_MAX * (sizeof(uint16_t) + 256))
#define PAGE_KEY_BYTES_MAX 16384
/* The first byte of the keys of what is no page: fragments (worker/fragment.h). A page's key begins with its host, in
 * which no control character may stand, or with the slash of its path. */
#define PAGE_KEY_FRAGMENT '\x01'
#define PAGE_KEY_HINTS                                                                             \
    '\x03' /* worker/hints_shared.h; '\2' begins keys of the hot cache: worker/static.c */

struct page_variant {
    uint32_t head_offset;
    uint32_t
        head_bytes; /* status line and header fields, each ended by CRLF, without the empty line */
    uint32_t body_offset;
    uint32_t body_bytes;
    uint32_t etag_offset; /* the entity tag as it stands in the head, for If-None-Match */
    uint32_t etag_bytes;  /* 0: none */
};
static_assert(sizeof(struct page_variant) == 24, "in shared memory");

/* What the application said itself, so that we neither say it again nor take ours for its words. */
enum page_flag {
    PAGE_OWN_DATE = 1,     /* the head has a Date */
    PAGE_OWN_CONTROL = 2,  /* and the application's Cache-Control, not our default */
    PAGE_OWN_ETAG = 4,     /* and its ETag, not ours */
    PAGE_OWN_MODIFIED = 8, /* and its Last-Modified */
    PAGE_NONCE = 32,       /* has marks in the place of nonces: worker/nonce.h */
    PAGE_PACKABLE = 16,    /* may be sent in other encodings: worker/encode.h */
    PAGE_PACK_EACH = 64,   /* likewise, but packed anew for each answer, since it has marks */
};
/* In a worker's own copy: packing in this encoding was tried, and gained nothing. */
#define PAGE_GAINED_NOTHING(encoding) (256u << (encoding))
/* Packed in this encoding as small as pays (worker/polish.h); in a worker's own copy also: tried. */
#define PAGE_PACKED_BEST(encoding) (4096u << (encoding))

struct page {
    uint64_t checksum; /* page_checksum() of all that follows: set once, by page_build() */
    uint32_t magic;
    uint32_t bytes; /* the whole page, this struct included */
    uint64_t hash;  /* key_hash() of the key */
    /* what each hit asks, in one cache line with the above */
    uint64_t edition;        /* which bundle made it: heritage.edition */
    uint64_t fresh_until_ms; /* at this instant it is no longer fresh */
    uint32_t key_bytes;      /* of the key, which stands behind the struct */
    uint32_t flags;          /* enum page_flag */
    uint16_t
        status; /* 0: no page but a record of what its variants are told apart by: worker/vary.h; 1: a
                   fragment, worker/fragment.h; 2: links, worker/hints_shared.h */
    uint16_t encodings; /* 1 << enum page_encoding of each variant that there is */
    uint32_t
        variants_offset; /* of the table: one for each encoding behind identity, up to the last */
    /* the rest */
    uint64_t path_hash;    /* of path and query as purged by URL: purge_url_hash() */
    uint64_t epoch;        /* purge epoch when its render began: see purge.h */
    uint64_t stored_ms;    /* cold clock (region_now_ms) */
    uint64_t swr_until_ms; /* may be served stale until then while it is rendered anew; >=
                                fresh_until_ms */
    uint64_t
        sie_until_ms; /* may be served stale until then when the render fails; >= fresh_until_ms */
    uint32_t render_us; /* what it cost */
    uint16_t tag_count;
    uint16_t tag_text_bytes; /* for people: purges ask the hashes. page_next_tag() reads them */
    uint32_t path_offset;    /* path and query inside the key: for purge by prefix and `cache ls` */
    uint32_t path_bytes;
    uint32_t age_s; /* how old it was when it was stored, by its own Age */
    uint32_t nonce; /* PAGE_NONCE: which marks */
    struct page_variant identity;
};
static_assert(sizeof(struct page) == 144, "in shared memory");
static_assert(offsetof(struct page, variants_offset) == 52, "a hit's fields are in the first line");

struct page_variant_source {
    struct span head; /* data NULL: absent */
    struct span body;
    struct span etag; /* in the head, or a copy is made */
};

struct page_source {
    uint64_t hash, path_hash, epoch, edition;
    uint64_t stored_ms, fresh_until_ms, swr_until_ms, sie_until_ms;
    uint32_t render_us;
    uint32_t age_s;
    uint32_t flags;
    uint32_t nonce;
    uint16_t status;
    struct span key;
    uint32_t path_offset_in_key;
    uint32_t path_bytes;
    const struct span *tags; /* as the application wrote them; any bytes, 64 KiB at most each */
    size_t tag_count;
    struct page_variant_source variant[PAGE_VARIANTS_MAX];
};

/* Bytes that page_build() needs; 0 when the source is out of bounds (more than UINT32_MAX in
 * all, a key over PAGE_KEY_BYTES_MAX, more than PAGE_TAGS_MAX tags or PAGE_TAG_TEXT_BYTES_MAX of them). */
size_t page_bytes(const struct page_source *source);

/* Write the page into buf, which holds page_bytes() bytes at an address divisible by 8. */
void page_build(const struct page_source *source, struct page *buf);

/* 0 when every offset and count lies inside the bytes given, and magic, size and (if asked for)
 * checksum hold; -EINVAL otherwise. Reads nothing outside [page, page + bytes). */
int page_check(const struct page *page, size_t bytes, bool with_checksum);
/* The same of the struct alone: nothing behind it is read. The variants' own offsets are not checked. */
int page_check_struct(const struct page *page, size_t bytes);

/* Such a record: never sent to anyone, and none of a list of pages. */
static inline bool page_is_vary(const struct page *page)
{
    return page->status == 0;
}

static inline const char *page_at(const struct page *page, uint32_t offset)
{
    return (const char *)page + offset;
}

static inline const char *page_key(const struct page *page)
{
    return (const char *)(page + 1);
}

#define PAGE_WORD(type, at)                                                                        \
    ({                                                                                             \
        type word_;                                                                                \
        __builtin_memcpy(&word_, (at), sizeof word_);                                              \
        word_;                                                                                     \
    })

/* As memcmp() == 0, word by word, the last of them overlapping the one before: keys are short, and what a
 * call costs depends on where in their pages of memory the two happen to lie. */
static inline bool page_bytes_equal(const char *a, const char *b, size_t bytes)
{
    size_t last = bytes - sizeof(uint64_t);

    if (unlikely(bytes < sizeof(uint32_t)))
        return __builtin_memcmp(a, b, bytes) == 0;
    if (bytes < sizeof(uint64_t)) {
        last = bytes - sizeof(uint32_t);
        return PAGE_WORD(uint32_t, a) == PAGE_WORD(uint32_t, b) &&
               PAGE_WORD(uint32_t, a + last) == PAGE_WORD(uint32_t, b + last);
    }
    for (size_t at = 0; at < last; at += sizeof(uint64_t)) {
        if (PAGE_WORD(uint64_t, a + at) != PAGE_WORD(uint64_t, b + at))
            return false;
    }
    return PAGE_WORD(uint64_t, a + last) == PAGE_WORD(uint64_t, b + last);
}

static inline bool page_has_key(const struct page *page, const char *key, size_t key_bytes)
{
    return page->key_bytes == key_bytes && page_bytes_equal(page_key(page), key, key_bytes);
}

/*
 * The texts of the tags, one after the other: *at is 0 before the first. False: there is no more, or what stands
 * there runs over its end. Safe on a struct, key and tags of which page_check_struct() alone has been asked.
 */
bool page_next_tag(const struct page *page, uint32_t *at, struct span *ret_text);
/* All of them. Returns how many; they point into the page. */
size_t page_tag_texts(const struct page *page, struct span ret_texts[static PAGE_TAGS_MAX]);

static inline const uint64_t *page_tags(const struct page *page)
{
    return (const uint64_t *)page_at(page, page->variants_offset) - page->tag_count;
}

static inline bool page_has(const struct page *page, unsigned encoding)
{
    return (page->encodings >> encoding & 1) != 0;
}

/* Of an encoding that it has, or PAGE_IDENTITY: where that is absent, no bytes. */
static inline const struct page_variant *page_variant(const struct page *page, unsigned encoding)
{
    const void *table = page_at(page, page->variants_offset);

    if (encoding == PAGE_IDENTITY)
        return &page->identity;
    return (const struct page_variant *)table + (encoding - 1);
}

#endif
