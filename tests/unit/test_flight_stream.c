/* SPDX-License-Identifier: MIT */
/* test_flight_stream.c - parts of a page on their way to its reader and into the cache: flight_stream.c, stream_out.c. */
#include "tests/unit/http_fixture.h"
#include "worker/flight.h"
#include "worker/request.h"

#include <zlib.h>

#define PIECE 65536u

static char piece[PIECE];
static char got[24 * MIB]; /* a body, without its chunks' lines */
static size_t got_bytes;
static char head[4096]; /* of the answer before it */
static bool is_whole;   /* the last chunk was there */

/* What one client has: bytes off the wire, of one answer. */
struct wire {
    char data[25 * MIB];
    size_t bytes;
};
static struct wire wire;

static void fill(char seed)
{
    for (size_t i = 0; i < sizeof piece; i++)
        piece[i] = (char)(seed + (char)(i % 23));
}

static void take_chunks(const char *at, const char *end)
{
    got_bytes = 0;
    is_whole = false;
    while (at < end && !is_whole) {
        char *body;
        size_t bytes = strtoul(at, &body, 16);

        assert_memory_equal(body, "\r\n", 2);
        body += 2;
        is_whole = bytes == 0;
        if (body + bytes + 2 > end && !is_whole)
            return; /* more of it has not come */
        memcpy(got + got_bytes, body, bytes);
        got_bytes += bytes;
        at = body + bytes + 2;
    }
}

/* All that has come by now; then head, got and is_whole are of the answer so far. */
static void listen_to(struct fixture *f, int fd)
{
    const char *body;
    ssize_t n;

    for (int idle = 0; idle < 2; idle++)
        while ((n = recv(fd, wire.data + wire.bytes, sizeof wire.data - wire.bytes - 1,
                         MSG_DONTWAIT)) > 0) {
            wire.bytes += (size_t)n;
            turn(f);
        }
    wire.data[wire.bytes] = 0;
    body = strstr(wire.data, "\r\n\r\n");
    assert_non_null(body);
    (void)snprintf(head, sizeof head, "%.*s", (int)(body - wire.data), wire.data);
    take_chunks(body + 4, wire.data + wire.bytes);
}

static bool part(struct fixture *f, struct render_job *job, const char *data, size_t bytes,
                 bool is_first)
{
    struct js_part p = {.is_first = is_first, .head = f->result, .data = data, .bytes = bytes};

    return job->part(job, &p);
}

/* The head and the first part of a page that the next request asks for; true: it wants more. */
static bool begin_stream(struct fixture *f, int fd, const char *fields, const char *first)
{
    wire.bytes = 0;
    f->renderer.resumed = f->renderer.cancelled = NULL;
    ask(f, fd, "/a", fields);
    assert_true(begin(f));
    return part(f, f->renderer.open, first, strlen(first), true);
}

static void end_stream(struct fixture *f, const char *rest)
{
    struct render_job *job = f->renderer.open;

    f->result.body = rest;
    f->result.body_bytes = strlen(rest);
    f->renderer.open = NULL;
    job->done(job, RENDER_DONE, &f->result);
}

static void parts_go_out_as_they_come_and_the_whole_is_kept(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    assert_true(begin_stream(f, fd, "", "one"));
    listen_to(f, fd);
    assert_non_null(strstr(head, "Transfer-Encoding: chunked"));
    assert_null(strstr(head, "Content-Length"));
    assert_int_equal(got_bytes, 3);
    assert_true(part(f, f->renderer.open, "two", 3, false));
    listen_to(f, fd);
    assert_int_equal(got_bytes, 6);
    assert_false(is_whole);
    end_stream(f, "three");
    listen_to(f, fd);
    assert_true(is_whole);
    assert_memory_equal(got, "onetwothree", 11);
    assert_int_equal(count_of(&f->worker.stats->streams), 1);
    ask(f, fd, "/a", "");
    assert_hears(fd, "Content-Length: 11\r\n", "onetwothree");
    (void)close(fd);
}

static void unpack_gzip(char *out, size_t cap, size_t *ret_bytes, bool *ret_over)
{
    z_stream z = {0};

    assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
    z.next_in = (Bytef *)got;
    z.avail_in = (uInt)got_bytes;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)cap;
    *ret_over = inflate(&z, Z_SYNC_FLUSH) == Z_STREAM_END;
    *ret_bytes = cap - z.avail_out;
    (void)inflateEnd(&z);
}

static char *encodings[] = {(char[]){"br"}, (char[]){"gzip"}, (char[]){"zstd"}};

static void pack_pages(struct fixture *f)
{
    f->config.compression.encodings = (struct str_list){encodings, 3};
    f->config.compression.min_bytes = 1000;
    f->config.log.access = (char *)(uintptr_t) "off"; /* setup()'s is gone */
    http_free(f->worker.http);
    assert_int_equal(http_new(&f->worker, &f->worker.http), 0);
    assert_int_equal(http_start(f->worker.http), 0);
}

static void a_packed_part_can_be_read_when_it_has_come(void **state)
{
    struct fixture *f = *state;
    struct js_header own = {"etag", 4, "\"mine\"", 6};
    char text[100];
    size_t bytes;
    bool over;
    int fd;

    pack_pages(f);
    fd = client(f);
    f->result.headers = &own;
    f->result.header_count = 1;
    assert_true(begin_stream(f, fd, "Accept-Encoding: gzip\r\n", "one"));
    listen_to(f, fd);
    assert_non_null(strstr(head, "\r\nContent-Encoding: gzip\r\n"));
    assert_non_null(strstr(head, "\r\nETag: W/\"mine-gzip\"\r\n"));
    assert_non_null(strstr(head, "\r\nVary: Accept-Encoding\r\n"));
    assert_null(strstr(head, "Content-Length"));
    unpack_gzip(text, sizeof text, &bytes, &over);
    assert_int_equal(bytes, 3);
    assert_true(part(f, f->renderer.open, "two", 3, false));
    listen_to(f, fd);
    unpack_gzip(text, sizeof text, &bytes, &over);
    assert_int_equal(bytes, 6);
    assert_false(over);
    end_stream(f, "");
    listen_to(f, fd);
    unpack_gzip(text, sizeof text, &bytes, &over);
    assert_memory_equal(text, "onetwo", 6);
    assert_true(over && is_whole);
    ask(f, fd, "/a", ""); /* kept as it was made */
    assert_hears(fd, "ETag: \"mine\"\r\n", "onetwo");
    (void)close(fd);
}

static void which_packing_is_the_readers_choice(void **state)
{
    static const struct {
        const char *fields, *says;
    } cases[] = {
        {"Accept-Encoding: gzip, br\r\n", "Content-Encoding: br"},
        {"Accept-Encoding: gzip;q=1, br;q=0.5\r\n", "Content-Encoding: gzip"},
        {"Accept-Encoding: zstd\r\n", "Content-Encoding: zstd"},
        {"Accept-Encoding: br;q=0\r\n", NULL},
        {"", NULL},
    };
    struct fixture *f = *state;
    struct js_header image = {"content-type", 12, "image/png", 9};

    pack_pages(f);
    f->result.is_private = true;
    for (size_t i = 0; i <= array_len(cases); i++) {
        int fd = client(f);
        bool is_image = i == array_len(cases);
        const char *says = is_image ? NULL : cases[i].says;

        f->result.headers = is_image ? &image : NULL;
        f->result.header_count = is_image;
        (void)begin_stream(f, fd, is_image ? cases[0].fields : cases[i].fields, "one");
        listen_to(f, fd);
        if (says ? !strstr(head, says) : strstr(head, "Content-Encoding") != NULL)
            fail_msg("%zu: %s", i, head);
        end_stream(f, "");
        (void)close(fd);
        turn(f);
    }
}

/* Most pages are made to their end this way, and keep no render open for who is slow. */
static void some_is_made_ahead_of_a_slow_reader_and_no_more(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    size_t parts = 1;

    fill('a');
    f->result.is_private = true;
    assert_true(begin_stream(f, fd, "", "first"));
    while (part(f, f->renderer.open, piece, PIECE, false) && parts < 1000)
        parts++;
    assert_in_range(parts * PIECE, MIB, 3 * MIB / 2);
    assert_null(f->renderer.resumed);
    listen_to(f, fd);
    assert_ptr_equal(f->renderer.resumed, f->renderer.open);
    assert_int_equal(got_bytes, 5 + parts * PIECE);
    assert_memory_equal(got + got_bytes - PIECE, piece, PIECE);
    assert_true(part(f, f->renderer.open, piece, PIECE, false));
    end_stream(f, "last");
    listen_to(f, fd);
    assert_true(is_whole);
    assert_int_equal(got_bytes, 5 + (parts + 1) * PIECE + 4);
    assert_int_equal(f->worker.http->requests->stream_bytes, 0);
    (void)close(fd);
}

static void the_end_of_a_page_waits_for_a_slow_reader_without_its_render(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    fill('b');
    f->result.is_private = true;
    assert_true(begin_stream(f, fd, "", "first"));
    for (int i = 0; i < 12; i++)
        assert_true(part(f, f->renderer.open, piece, PIECE, false));
    end_stream(f, "last");
    assert_int_equal(f->worker.http->requests->stream_bytes, 0); /* it is the connection's now */
    listen_to(f, fd);
    assert_true(is_whole);
    assert_int_equal(got_bytes, 5 + 12 * PIECE + 4);
    (void)close(fd);
}

static void all_slow_readers_together_have_a_bound(void **state)
{
    struct fixture *f = *state;
    struct render_job *job[64];
    int fd[64];
    size_t count = 0, last = 0;

    fill('c');
    f->result.is_private = true;
    while (count < 64) {
        size_t parts = 0;

        fd[count] = client(f);
        (void)begin_stream(f, fd[count], "", "first");
        job[count] = f->renderer.open;
        f->renderer.open = NULL;
        while (part(f, job[count], piece, PIECE, false) && parts < 1000)
            parts++;
        last = parts * PIECE;
        count++;
        if (last < MIB / 2)
            break;
    }
    assert_in_range(count, 16, 20);
    assert_in_range(f->worker.http->requests->stream_bytes, 16 * MIB, 17 * MIB);
    for (size_t i = 0; i < count; i++) { /* who leaves gives back what waited for him */
        (void)close(fd[i]);
        turn(f);
        assert_ptr_equal(f->renderer.cancelled, job[i]);
        f->result.outcome = JS_GONE;
        job[i]->done(job[i], RENDER_DONE, &f->result);
    }
    assert_int_equal(f->worker.http->requests->stream_bytes, 0);
}

static void a_page_for_all_is_not_held_up_by_its_reader(void **state)
{
    struct fixture *f = *state;
    int fd = client(f), other = client(f);

    fill('d');
    assert_true(begin_stream(f, fd, "", "first"));
    ask(f, other, "/a", ""); /* joins */
    for (int i = 0; i < 40; i++)
        assert_true(part(f, f->renderer.open, piece, PIECE, false));
    end_stream(f, "");
    assert_hears(other, "Content-Length: 2621445\r\n", "collapsed");
    listen_to(f, fd);
    assert_true(is_whole);
    assert_int_equal(got_bytes, 5 + 40 * PIECE);
    (void)close(fd);
    (void)close(other);
}

static void beyond_the_tees_room_it_is_for_one_reader(void **state)
{
    struct fixture *f = *state;
    int fd = client(f), other = client(f);
    size_t parts = 0;

    fill('e');
    assert_true(begin_stream(f, fd, "", "first"));
    ask(f, other, "/a", "");
    assert_int_equal(f->renderer.queued, 0);
    while (part(f, f->renderer.open, piece, PIECE, false))
        parts++;
    assert_in_range(parts * PIECE, 15 * MIB, 16 * MIB);
    assert_int_equal(f->renderer.queued, 1); /* the other's own */
    listen_to(f, fd);
    assert_ptr_equal(f->renderer.resumed, f->renderer.open);
    end_stream(f, "");
    listen_to(f, fd);
    assert_true(is_whole);
    assert_int_equal(got_bytes, 5 + (parts + 1) * PIECE);
    (void)close(fd);
    (void)close(other);
}

static void answers_ahead_of_it_go_out_first(void **state)
{
    static const char both[] = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n"
                               "GET /large HTTP/1.1\r\nHost: a\r\n\r\n"
                               "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    static char large[200000]; /* two are more than the socket takes */
    struct fixture *f = *state;
    int fd = client(f), other = client(f);
    const char *at;

    memset(large, 'x', sizeof large - 1);
    f->large = large;
    f->large_bytes = sizeof large - 1;
    ask(f, other, "/large", "");
    render_all(f);
    f->result.is_private = true;
    wire.bytes = 0;
    assert_int_equal(send(fd, both, sizeof both - 1, 0), sizeof both - 1);
    turn(f);
    assert_true(begin(f));
    assert_non_null(TAILQ_FIRST(&((struct flight *)f->renderer.open)->requests)->conn->unsent);
    assert_true(part(f, f->renderer.open, "one", 3, true));
    ask(f, other, "/large", ""); /* another's answer is not mixed up with it */
    end_stream(f, "two");
    for (int i = 0; i < 10; i++) {
        ssize_t n =
            recv(fd, wire.data + wire.bytes, sizeof wire.data - wire.bytes - 1, MSG_DONTWAIT);

        wire.bytes += n > 0 ? (size_t)n : 0;
        turn(f);
    }
    wire.data[wire.bytes] = 0;
    at = strstr(wire.data, large);
    at = at ? strstr(at + sizeof large - 1, large) : NULL;
    assert_non_null(at);
    at += sizeof large - 1;
    assert_memory_equal(at, "HTTP/1.1 200 OK", 15);
    assert_non_null(strstr(at, "\r\n\r\n6\r\nonetwo\r\n0\r\n\r\n"));
    (void)close(fd);
    (void)close(other);
}

static void a_failure_half_way_leaves_out_the_last_chunk(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    assert_true(begin_stream(f, fd, "", "one"));
    f->result.outcome = JS_STALL;
    end_stream(f, "");
    listen_to(f, fd);
    assert_false(is_whole);
    assert_string_equal(hear(fd), "EOF");
    assert_int_equal(count_of(&f->worker.stats->streams_cut), 1);
    (void)close(fd);
}

static void without_its_reader_a_page_for_all_goes_on_and_anothers_ends(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    assert_true(begin_stream(f, fd, "", "one"));
    (void)close(fd);
    turn(f);
    assert_null(f->renderer.cancelled);
    assert_true(part(f, f->renderer.open, "two", 3, false));
    end_stream(f, "");
    fd = client(f);
    ask(f, fd, "/a", "");
    assert_hears(fd, "hit", "onetwo");
    f->result.is_private = true;
    ask(f, fd, "/b", "");
    assert_true(begin(f));
    assert_true(part(f, f->renderer.open, "one", 3, true));
    (void)close(fd);
    turn(f);
    assert_ptr_equal(f->renderer.cancelled, f->renderer.open);
    f->result.outcome = JS_GONE;
    end_stream(f, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(parts_go_out_as_they_come_and_the_whole_is_kept),
        TEST(a_packed_part_can_be_read_when_it_has_come),
        TEST(which_packing_is_the_readers_choice),
        TEST(some_is_made_ahead_of_a_slow_reader_and_no_more),
        TEST(the_end_of_a_page_waits_for_a_slow_reader_without_its_render),
        TEST(all_slow_readers_together_have_a_bound),
        TEST(a_page_for_all_is_not_held_up_by_its_reader),
        TEST(beyond_the_tees_room_it_is_for_one_reader),
        TEST(answers_ahead_of_it_go_out_first),
        TEST(a_failure_half_way_leaves_out_the_last_chunk),
        TEST(without_its_reader_a_page_for_all_goes_on_and_anothers_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
