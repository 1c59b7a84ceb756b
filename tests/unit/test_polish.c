/* SPDX-License-Identifier: MIT */
/* test_polish.c - which stored pages are packed once more when there is time, and what becomes of them. */
#include "worker/polish.h"

#include "worker/compress.h"
#include "worker/compress_slow.h"
#include "worker/encode.h"
#include "worker/hot.h"
#include "worker/lookup.h"

#include "tests/unit/http_fixture.h"

#include <brotli/decode.h>

#define BODY_BYTES 40000

static struct fixture *fixture;
static char text[BODY_BYTES];

/* Text that a better packer finds more in: words, in an order that does not repeat. */
static void write_text(void)
{
    static const char *const words[] = {"one ",  "of ",    "many ",   "<li>",
                                        "</li>", "render", "server ", "page "};
    uint32_t random = 1;
    size_t at = 0;

    while (at + 16 < sizeof text) {
        const char *word = words[(random = random * 1103515245 + 12345) >> 29];

        memcpy(text + at, word, strlen(word));
        at += strlen(word);
    }
    memset(text + at, '.', sizeof text - at);
}

static int set_up(void **state)
{
    static char br[] = "br", gzip[] = "gzip";
    static char *encodings[] = {br, gzip};

    if (setup(state) != 0)
        return -1;
    fixture = *state;
    write_text();
    fixture->large = text;
    fixture->large_bytes = sizeof text;
    fixture->config.policy.ttl_ms = 60000;
    fixture->config.compression.encodings = (struct str_list){encodings, 2};
    encoder_free(fixture->worker.http->encoder);
    return encoder_new(&fixture->config, &fixture->worker.http->encoder);
}

/* The head of what a client gets that takes this encoding. */
static const char *get(struct fixture *f, const char *target, const char *encoding)
{
    static char head[1000];
    char field[100], all[8192];
    int fd = client(f);
    ssize_t n;

    (void)snprintf(field, sizeof field, "Accept-Encoding: %s\r\n", encoding);
    ask(f, fd, target, field);
    render_all(f);
    n = recv(fd, head, sizeof head - 1, 0);
    assert_true(n > 0);
    head[n] = 0;
    for (;;) {
        turn(f);
        if (recv(fd, all, sizeof all, 0) <= 0)
            break;
    }
    (void)close(fd);
    turn(f);
    *strstr(head, "\r\n\r\n") = 0;
    return head;
}

static struct hot_page *hot_of(struct fixture *f, const char *key)
{
    return hot_get(f->worker.http->hot, key, strlen(key), key_hash(key, strlen(key)));
}

static uint64_t polished(struct fixture *f)
{
    return count_of(&f->worker.stats->pages_polished);
}

static void polish_all(struct fixture *f)
{
    for (int i = 0; polish_turn(f->worker.http->polish); i++)
        assert_true(i < 100);
}

static void assert_is_text(const struct page *page, enum page_encoding encoding)
{
    static uint8_t out[BODY_BYTES];
    const struct page_variant *v = page_variant(page, encoding);
    size_t bytes = sizeof out;

    assert_int_equal(BrotliDecoderDecompress(v->body_bytes,
                                             (const uint8_t *)page_at(page, v->body_offset), &bytes,
                                             out),
                     BROTLI_DECODER_RESULT_SUCCESS);
    assert_int_equal(bytes, sizeof text);
    assert_memory_equal(out, text, sizeof text);
}

static void a_page_asked_for_again_becomes_smaller_in_both_caches(void **state)
{
    struct fixture *f = *state;
    uint32_t quick_bytes;
    struct hot_page *hot;

    (void)get(f, "/a", "br");
    (void)get(f, "/a", "br");
    quick_bytes = page_variant(&hot_of(f, "a/a")->page, PAGE_BR)->body_bytes;
    polish_all(f);
    assert_int_equal(polished(f), 1);
    hot = hot_of(f, "a/a");
    assert_true(page_variant(&hot->page, PAGE_BR)->body_bytes < quick_bytes);
    assert_is_text(&hot->page, PAGE_BR);
    assert_false(lookup_is_replaced(f->worker.http, &hot->page));
    hot_remove(f->worker.http->hot, hot);
    assert_non_null(strstr(get(f, "/a", "br"), "detail=cold"));
    assert_true(page_variant(&hot_of(f, "a/a")->page, PAGE_BR)->body_bytes < quick_bytes);
    assert_int_equal(f->renderer.renders, 1);
}

static void other_bytes_have_another_entity_tag(void **state)
{
    struct fixture *f = *state;
    char before[1000];
    const char *after, *tag;

    (void)get(f, "/a", "br");
    (void)snprintf(before, sizeof before, "%s", get(f, "/a", "br"));
    polish_all(f);
    after = get(f, "/a", "br");
    tag = strstr(before, "ETag: ");
    assert_non_null(strstr(tag, "-br\"\r\n"));
    assert_non_null(strstr(strstr(after, "ETag: "), "-br+\"\r\n"));
    assert_null(strstr(after, "-br\""));
    assert_non_null(strstr(after, "Content-Encoding: br\r\n"));
    assert_non_null(strstr(get(f, "/a", "identity"), "Content-Length: 40000\r\n"));
}

static void each_is_tried_once(void **state)
{
    struct fixture *f = *state;
    unsigned asides;

    (void)get(f, "/a", "br");
    (void)get(f, "/a", "gzip");
    (void)get(f, "/a", "br");
    polish_all(f);
    asides = f->lane.asides;
    (void)get(f, "/a", "br"); /* what is put anew is not visited yet */
    polish_all(f);
    (void)get(f, "/a", "br");
    polish_all(f);
    assert_in_range(f->lane.asides - asides, 0, 1); /* gzip's turn may come only now */
    asides = f->lane.asides;
    (void)get(f, "/a", "br");
    polish_all(f);
    assert_int_equal(f->lane.asides, asides);
}

static void what_nobody_asks_for_again_is_left_alone(void **state)
{
    struct fixture *f = *state;

    (void)get(f, "/a", "br");
    polish_all(f);
    assert_int_equal(f->lane.asides, 0);
    (void)get(f, "/a", "identity");
    polish_all(f);
    assert_int_equal(polished(f), 1);
}

static void what_runs_out_soon_is_left_alone(void **state)
{
    struct fixture *f = *state;

    (void)get(f, "/a", "br");
    (void)get(f, "/a", "br");
    hot_of(f, "a/a")->page.fresh_until_ms = region_now_ms(f->region) + 9000;
    polish_all(f);
    assert_int_equal(f->lane.asides, 0);
}

static void without_a_packed_form_there_is_nothing_to_do(void **state)
{
    struct fixture *f = *state;

    (void)get(f, "/a", "identity");
    (void)get(f, "/a", "identity");
    polish_all(f);
    assert_int_equal(f->lane.asides, 0);
}

static void remove_it(void)
{
    struct hot_page *hot = hot_of(fixture, "a/a");

    if (hot)
        hot_remove(fixture->worker.http->hot, hot);
    (void)cold_delete(fixture->worker.cold, "a/a", 3, key_hash("a/a", 3));
}

static void a_page_that_goes_away_meanwhile_does_not_come_back(void **state)
{
    struct fixture *f = *state;

    (void)get(f, "/a", "br");
    (void)get(f, "/a", "br");
    f->lane.beside = remove_it;
    polish_all(f);
    assert_true(f->lane.asides >= 1);
    assert_int_equal(polished(f), 0);
    assert_null(hot_of(f, "a/a"));
    assert_non_null(strstr(get(f, "/a", "br"), "uri-miss"));
}

static void a_page_that_another_worker_replaced_makes_room_for_that(void **state)
{
    struct fixture *f = *state;
    struct hot_page *hot, *other;

    (void)get(f, "/a", "br");
    (void)get(f, "/a", "br");
    hot = hot_of(f, "a/a");
    other = encoder_improve(f->worker.http->hot, hot, PAGE_BR, (struct span){"not really", 10});
    assert_int_equal(cold_put(f->worker.cold, &other->page), 0);
    hot_release(other);
    polish_all(f);
    assert_int_equal(f->lane.asides, 0);
    assert_null(hot_of(f, "a/a"));
    assert_non_null(strstr(get(f, "/a", "br"), "Content-Length: 10\r\n"));
}

/* In several steps, each aside; and the result is what brotli makes of it in one. */
static void a_long_text_is_packed_in_steps(void **state)
{
    static char all[COMPRESS_SLOW_BYTES_MAX + 1], packed[COMPRESS_SLOW_BYTES_MAX];
    struct compressor *compressor = compressor_new();
    struct compress_slow *slow;
    struct span in = {all, 200000};
    unsigned steps = 1;
    size_t whole_bytes;

    (void)state;
    for (size_t at = 0; at < sizeof all; at += sizeof text)
        memcpy(all + at, text, sizeof all - at < sizeof text ? sizeof all - at : sizeof text);
    slow = compress_slow_new(PAGE_BR, in);
    assert_non_null(slow);
    while (!compress_slow_step(slow))
        steps++;
    assert_int_equal(steps, 4);
    whole_bytes = compress_bytes(compressor, PAGE_BR, COMPRESS_BEST, in, packed, sizeof packed);
    assert_in_range(compress_slow_result(slow).bytes, 1, whole_bytes + whole_bytes / 20);
    compress_slow_free(slow);
    compressor_free(compressor);
    assert_null(compress_slow_new(PAGE_BR, (struct span){all, sizeof all}));
    assert_null(compress_slow_new(PAGE_BR, (struct span){all, 0}));
}

static void what_gets_no_smaller_gives_nothing(void **state)
{
    static const enum page_encoding encodings[] = {PAGE_GZIP, PAGE_BR, PAGE_ZSTD};
    char noise[3000];
    uint32_t random = 7;

    (void)state;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)((random = random * 1103515245 + 12345) >> 24);
    for (size_t i = 0; i < array_len(encodings); i++) {
        struct compress_slow *slow =
            compress_slow_new(encodings[i], (struct span){noise, sizeof noise});

        assert_non_null(slow);
        while (!compress_slow_step(slow))
            continue;
        assert_int_equal(compress_slow_result(slow).bytes, 0);
        compress_slow_free(slow);
    }
}

int main(void)
{
#define WITH_PAGES(test) cmocka_unit_test_setup_teardown(test, set_up, teardown)
    const struct CMUnitTest tests[] = {
        WITH_PAGES(a_page_asked_for_again_becomes_smaller_in_both_caches),
        WITH_PAGES(other_bytes_have_another_entity_tag),
        WITH_PAGES(each_is_tried_once),
        WITH_PAGES(what_nobody_asks_for_again_is_left_alone),
        WITH_PAGES(what_runs_out_soon_is_left_alone),
        WITH_PAGES(without_a_packed_form_there_is_nothing_to_do),
        WITH_PAGES(a_page_that_goes_away_meanwhile_does_not_come_back),
        WITH_PAGES(a_page_that_another_worker_replaced_makes_room_for_that),
        WITH_PAGES(a_long_text_is_packed_in_steps),
        WITH_PAGES(what_gets_no_smaller_gives_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
