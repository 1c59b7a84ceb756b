/* SPDX-License-Identifier: MIT */
/* test_page.c - pages as bytes: what is built can be read, what was damaged is refused. */
#include "shm/page_checksum.h"
#include "shm/page_copy.h"
#include "tests/unit/sample_page.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct page *two_tags(void)
{
    static const struct span tags[] = {{"red", 3}, {"a\0b", 3}};

    return sample_page(&(struct sample){
        .path = "/shop?item=1", .letter = 'a', .body_bytes = 1001, .tags = tags, .tag_count = 2});
}

static void built_page_passes_its_check(void **state)
{
    autofree struct page *page = two_tags();

    assert_int_equal(page_check(page, page->bytes, true), 0);
    assert_int_equal(page->bytes % 8, 0);
}

static void built_page_holds_what_went_in(void **state)
{
    autofree struct page *page = two_tags();
    const struct page_variant *variant = page_variant(page, PAGE_IDENTITY);
    struct span text[PAGE_TAGS_MAX];

    assert_true(page_has_key(page, "/shop?item=1", 12));
    assert_false(page_has_key(page, "/shop?item=2", 12));
    assert_memory_equal(page_at(page, page->path_offset), "/shop?item=1", page->path_bytes);
    assert_int_equal(page_tags(page)[0], purge_tag_hash("red", 3));
    assert_int_equal(page_tags(page)[1], purge_tag_hash("a\0b", 3));
    assert_int_equal(page_tag_texts(page, text), 2);
    assert_memory_equal(text[0].data, "red", text[0].bytes);
    assert_int_equal(text[1].bytes, 3);
    assert_memory_equal(text[1].data, "a\0b", 3);
    assert_memory_equal(page_at(page, variant->head_offset), "HTTP/1.1 200 OK\r\n", 17);
    assert_int_equal(variant->body_bytes, 1001);
    assert_true(sample_is(page, 'a'));
    assert_memory_equal(page_at(page, variant->etag_offset), "\"0123456789abcdef\"", 18);
    assert_false(page_has(page, PAGE_BR));
}

static void keys_are_equal_only_in_all_their_bytes(void **state)
{
    /* exact, so that ASan sees a read behind */
    for (size_t bytes = 0; bytes <= 33; bytes++) {
        autofree char *one = malloc(bytes + 1);
        autofree char *two = malloc(bytes + 1);
        char *a = one + 1; /* and at no address that suits words */
        char *b = two + 1;

        memset(a, 'k', bytes);
        memset(b, 'k', bytes);
        assert_true(page_bytes_equal(a, b, bytes));
        for (size_t i = 0; i < bytes; i++) {
            b[i] = 'K';
            assert_false(page_bytes_equal(a, b, bytes));
            b[i] = 'k';
        }
    }
}

static void path_may_be_the_middle_of_the_key(void **state)
{
    struct page_source source = {.key = {"GET /a x", 8}, .path_offset_in_key = 4, .path_bytes = 2};
    union {
        struct page page;
        char room[1024];
    } buf;

    assert_in_range(page_bytes(&source), sizeof(struct page), sizeof buf);
    page_build(&source, &buf.page);
    assert_int_equal(page_check(&buf.page, page_bytes(&source), true), 0);
    assert_memory_equal(page_at(&buf.page, buf.page.path_offset), "/a", 2);
}

static void page_has_as_many_variants_as_it_was_given(void **state)
{
    static const char letters[] = "abcdefghijklmnop";
    static_assert(sizeof letters - 1 == PAGE_VARIANTS_MAX, "a letter each");

    /* every set of them up to the fifth, with and without the last */
    for (unsigned set = 0; set < 64; set++) {
        unsigned encodings = (set & 31) | (set & 32) << (PAGE_VARIANTS_MAX - 6);
        struct page_source source = {.key = {"/k", 2}, .path_bytes = 2};
        autofree struct page *page = NULL;

        for (unsigned i = 0; i < PAGE_VARIANTS_MAX; i++)
            if (encodings >> i & 1)
                source.variant[i] = (struct page_variant_source){
                    .head = {letters + i, 1}, .body = {letters, i}, .etag = {letters + i, 1}};
        page = malloc(page_bytes(&source));
        page_build(&source, page);
        assert_int_equal(page->bytes, page_bytes(&source));
        assert_int_equal(page_check(page, page->bytes, true), 0);
        assert_int_equal(page->encodings, encodings);
        for (unsigned i = 0; i < PAGE_VARIANTS_MAX; i++) {
            if (!page_has(page, i))
                continue;
            assert_int_equal(*page_at(page, page_variant(page, i)->head_offset), letters[i]);
            assert_int_equal(page_variant(page, i)->body_bytes, i);
            assert_memory_equal(page_at(page, page_variant(page, i)->body_offset), letters, i);
            assert_int_equal(*page_at(page, page_variant(page, i)->etag_offset), letters[i]);
        }
        assert_int_equal(page_has(page, PAGE_IDENTITY), encodings & 1);
        if (!(encodings & 1)) /* may be asked for all the same */
            assert_int_equal(page_variant(page, PAGE_IDENTITY)->body_bytes, 0);
    }
}

static void equal_sources_give_equal_bytes(void **state)
{
    autofree struct page *one = two_tags();
    autofree struct page *two = two_tags();

    assert_int_equal(one->bytes, two->bytes);
    assert_memory_equal(one, two, one->bytes);
}

static void source_out_of_bounds_has_no_size(void **state)
{
    struct page_source source = {.key = {"k", 1}, .path_bytes = 1};
    char key[1] = "k";
    static struct span tags[PAGE_TAGS_MAX + 1];

    assert_int_not_equal(page_bytes(&source), 0);
    source.tags = tags;
    source.tag_count = PAGE_TAGS_MAX + 1;
    assert_int_equal(page_bytes(&source), 0);
    source.tag_count = 1;
    tags[0] = (struct span){key, PAGE_TAG_TEXT_BYTES_MAX - 1};
    assert_int_equal(page_bytes(&source), 0);
    source.tag_count = 0;
    source.path_offset_in_key = 1;
    assert_int_equal(page_bytes(&source), 0);
    source.path_offset_in_key = 0;
    source.key = (struct span){key, PAGE_KEY_BYTES_MAX + 1};
    assert_int_equal(page_bytes(&source), 0);
    source.key.bytes = 1;
    source.variant[PAGE_BR].head = (struct span){key, 1};
    source.variant[PAGE_BR].body = (struct span){key, UINT32_MAX};
    assert_int_equal(page_bytes(&source), 0);
}

static void page_cut_short_is_refused_at_every_length(void **state)
{
    autofree struct page *page = two_tags();

    for (size_t bytes = 0; bytes < page->bytes; bytes++) {
        autofree struct page *cut = malloc(bytes + 1); /* exact, so that ASan sees a read behind */

        memcpy(cut, page, bytes);
        assert_int_equal(page_check(cut, bytes, true), -EINVAL);
    }
}

static void flipped_bit_anywhere_fails_the_check(void **state)
{
    autofree struct page *page = two_tags();

    for (size_t bit = 0, bits = (size_t)page->bytes * 8; bit < bits; bit++) {
        ((unsigned char *)page)[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(page_check(page, bits / 8, true), -EINVAL);
        ((unsigned char *)page)[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

static uint64_t sum_of_tags(const struct page *page)
{
    struct span text[PAGE_TAGS_MAX];
    uint64_t sum = 0;

    for (size_t i = 0, n = page_tag_texts(page, text); i < n; i++)
        for (size_t k = 0; k < text[i].bytes; k++)
            sum += (unsigned char)text[i].data[k];
    return sum;
}

static uint64_t sum_of_variants(const struct page *page)
{
    uint64_t sum = 0;

    for (unsigned v = 0; v < PAGE_VARIANTS_MAX; v++) {
        const struct page_variant *variant = page_variant(page, v);

        if (v > 0 && !page_has(page, v))
            continue;
        for (uint32_t i = 0; i < variant->head_bytes; i++)
            sum += (unsigned char)page_at(page, variant->head_offset)[i];
        for (uint32_t i = 0; i < variant->body_bytes; i++)
            sum += (unsigned char)page_at(page, variant->body_offset)[i];
        for (uint32_t i = 0; i < variant->etag_bytes; i++)
            sum += (unsigned char)page_at(page, variant->etag_offset)[i];
    }
    return sum;
}

static struct page *tagged(const struct span *tags, size_t count)
{
    return sample_page(
        &(struct sample){.path = "/t", .letter = 'a', .tags = tags, .tag_count = count});
}

static void tags_of_all_lengths_come_back_as_they_were(void **state)
{
    static char bytes[PAGE_TAG_TEXT_BYTES_MAX];
    struct span text[PAGE_TAGS_MAX];
    struct span tags[PAGE_TAGS_MAX];

    memset(bytes, 0xff, sizeof bytes);
    for (size_t i = 0; i < PAGE_TAGS_MAX; i++)
        tags[i] = (struct span){bytes, i * 8}; /* the first has none */
    autofree struct page *many = tagged(tags, PAGE_TAGS_MAX);
    assert_int_equal(page_check(many, many->bytes, true), 0);
    assert_int_equal(page_tag_texts(many, text), PAGE_TAGS_MAX);
    for (size_t i = 0; i < PAGE_TAGS_MAX; i++) {
        assert_int_equal(text[i].bytes, i * 8);
        assert_memory_equal(text[i].data, bytes, i * 8);
    }
    tags[0].bytes = PAGE_TAG_TEXT_BYTES_MAX - sizeof(uint16_t); /* exactly so many */
    autofree struct page *one = tagged(tags, 1);
    assert_int_equal(page_check(one, one->bytes, true), 0);
    assert_int_equal(page_tag_texts(one, text), 1);
    assert_int_equal(text[0].bytes, tags[0].bytes);
}

/* The texts have lengths of their own, behind the struct. */
static void tag_text_that_runs_over_is_refused(void **state)
{
    static const struct span tags[] = {{"one", 3}, {"two", 3}};
    autofree struct page *page = tagged(tags, 2);
    struct span text[PAGE_TAGS_MAX];
    char *length = (char *)page + sizeof *page + 8; /* the key "/t", padded */

    assert_int_equal(page_tag_texts(page, text), 2);
    for (unsigned wrong = 0; wrong <= UINT16_MAX; wrong++) {
        uint16_t value = (uint16_t)wrong;

        memcpy(length, &value, sizeof value);
        assert_int_equal(page_check(page, page->bytes, false), wrong == 3 ? 0 : -EINVAL);
        assert_in_range(page_tag_texts(page, text), 0, 5); /* and nothing outside is read */
    }
}

/* Whatever it says, a page that passes the check can be read through its offsets. */
static void damaged_page_never_leads_outside(void **state)
{
    autofree struct page *page = two_tags();
    size_t bytes = page->bytes;
    uint64_t sum = 0;

    for (size_t bit = 0; bit < sizeof *page * 8; bit++) {
        ((unsigned char *)page)[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (page_check(page, bytes, false) == 0) {
            for (uint32_t i = 0; i < page->key_bytes; i++)
                sum += (unsigned char)page_key(page)[i];
            for (uint32_t i = 0; i < page->tag_count; i++)
                sum += page_tags(page)[i];
            sum += sum_of_tags(page);
            sum += sum_of_variants(page);
        }
        ((unsigned char *)page)[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_int_not_equal(sum, 0);
}

/* Sizes beside every change of method, at any place. */
static void copy_is_of_every_byte_and_of_no_other(void **state)
{
    static const size_t sizes[] = {0,    1,    144,  1023,  2047,  2048,  2049,  2055,  2111,
                                   2112, 8184, 8192, 20479, 20480, 20481, 20544, 65536, 70000};
    static unsigned char from[70200];
    static unsigned char to[70200];
    static unsigned char wanted[70200];

    (void)state;
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (unsigned char)(i * 131 >> 3 | 1);
    for (size_t i = 0; i < array_len(sizes); i++) {
        for (size_t shift = 0; shift < 128; shift += 13) {
            memset(to, 0, sizeof to);
            memset(wanted, 0, sizeof wanted);
            memcpy(wanted + 64 - shift / 2, from + shift, sizes[i]);
            page_copy(to + 64 - shift / 2, from + shift, sizes[i]);
            assert_memory_equal(to, wanted, sizeof to);
        }
    }
}

#if defined __x86_64__ && !defined __SANITIZE_ADDRESS__
#define STORE(n) __asm__ volatile("vmovdqu %%ymm" #n ", %0" : "=m"(half[n]))

/* A register's upper half that stays in use makes SSE code wait, V8's above all. */
__attribute__((target("avx"), noinline)) static bool upper_halves_are_clear(void)
{
    struct {
        uint64_t word[4];
    } half[16];
    uint64_t used = 0;

    STORE(0);
    STORE(1);
    STORE(2);
    STORE(3);
    STORE(4);
    STORE(5);
    STORE(6);
    STORE(7);
    STORE(8);
    STORE(9);
    STORE(10);
    STORE(11);
    STORE(12);
    STORE(13);
    STORE(14);
    STORE(15);
    for (size_t i = 0; i < array_len(half); i++)
        used |= half[i].word[2] | half[i].word[3];
    return used == 0;
}

static void checksum_leaves_no_vector_register_in_use(void **state)
{
    static const char data[4096] = "page";

    (void)state;
    if (!__builtin_cpu_supports("avx"))
        return;
    assert_true(page_checksum(data, sizeof data) != 0);
    (void)page_checksum(data, sizeof data);
    assert_true(upper_halves_are_clear());
}

static void copy_leaves_no_vector_register_in_use(void **state)
{
    static char data[8192];
    static char copy[8192];

    (void)state;
    memset(data, 0xff, sizeof data);
    if (!__builtin_cpu_supports("avx"))
        return;
    page_copy(copy, data, sizeof data);
    page_copy(copy, data, sizeof data);
    assert_true(upper_halves_are_clear());
}
#else
static void checksum_leaves_no_vector_register_in_use(void **state)
{
    (void)state; /* SSE code is amd64's alone */
}

static void copy_leaves_no_vector_register_in_use(void **state)
{
    (void)state;
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_page_passes_its_check),
        cmocka_unit_test(built_page_holds_what_went_in),
        cmocka_unit_test(keys_are_equal_only_in_all_their_bytes),
        cmocka_unit_test(path_may_be_the_middle_of_the_key),
        cmocka_unit_test(page_has_as_many_variants_as_it_was_given),
        cmocka_unit_test(equal_sources_give_equal_bytes),
        cmocka_unit_test(source_out_of_bounds_has_no_size),
        cmocka_unit_test(page_cut_short_is_refused_at_every_length),
        cmocka_unit_test(checksum_leaves_no_vector_register_in_use),
        cmocka_unit_test(copy_leaves_no_vector_register_in_use),
        cmocka_unit_test(copy_is_of_every_byte_and_of_no_other),
        cmocka_unit_test(flipped_bit_anywhere_fails_the_check),
        cmocka_unit_test(damaged_page_never_leads_outside),
        cmocka_unit_test(tags_of_all_lengths_come_back_as_they_were),
        cmocka_unit_test(tag_text_that_runs_over_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
