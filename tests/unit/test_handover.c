/* SPDX-License-Identifier: MIT */
/* test_handover.c - connections from one worker to another: here the taker is the giver itself. */
#include "worker/handover.h"

#include "tests/unit/http_fixture.h"

#include <fcntl.h>

#define SOON_NS UINT64_C(1000000000)

static int pair[2];

static int set_up(void **state)
{
    struct fixture *f;

    if (setup(state) != 0)
        return -1;
    f = *state;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) != 0)
        return -1;
    f->heritage.handover_give_fd = pair[0];
    f->heritage.handover_take_fd = pair[1];
    handover_free(f->worker.http->handover); /* made when there was no socket yet */
    return handover_new(f->worker.http, &f->worker.http->handover) == 0 &&
                   handover_start(f->worker.http->handover) == 0
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    int result = teardown(state);

    (void)close(pair[0]);
    (void)close(pair[1]);
    return result;
}

static size_t give(struct fixture *f)
{
    return handover_all(f->worker.http, false, mono_ns() + SOON_NS);
}

static void take_over(struct fixture *f)
{
    while (recv(pair[1], NULL, 0, MSG_PEEK | MSG_DONTWAIT) >= 0)
        turn(f);
}

static void an_idle_connection_goes_on_elsewhere(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    ask(f, fd, "/a", "");
    render_all(f);
    assert_hears(fd, "200 OK", "render 1 /a");
    assert_int_equal(give(f), 1);
    assert_int_equal(http_connections(f->worker.http), 0);
    assert_string_equal(hear(fd), "");
    take_over(f);
    assert_int_equal(http_connections(f->worker.http), 1);
    ask(f, fd, "/a", "");
    assert_hears(fd, "detail=hot", "render 1 /a");
    assert_int_equal(count_of(&f->worker.stats->taken_over), 1);
    (void)close(fd);
}

static void a_request_that_waits_is_rendered_elsewhere(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    ask(f, fd, "/a", "X-Some: Thing\r\n");
    assert_int_equal(give(f), 1);
    assert_false(begin(f)); /* nobody waits for it here any more */
    take_over(f);
    render_all(f);
    assert_hears(fd, "200 OK", "render 1 /a");
    (void)close(fd);
}

static void what_is_pipelined_goes_along_in_order(void **state)
{
    static const char text[] =
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"
        "GET /c HTTP/1.1\r\nHo";
    struct fixture *f = *state;
    int fd = client(f);
    const char *heard;

    assert_int_equal(send(fd, text, sizeof text - 1, 0), sizeof text - 1);
    turn(f);
    assert_int_equal(give(f), 1);
    take_over(f);
    assert_int_equal(send(fd, "st: a\r\n\r\n", 9, 0), 9);
    for (int i = 0; i < 3; i++) {
        render_all(f);
        turn(f);
    }
    render_all(f);
    heard = hear(fd);
    assert_non_null(strstr(heard, "render 1 /a"));
    assert_non_null(strstr(strstr(heard, "/a"), "render 2 /b"));
    assert_non_null(strstr(strstr(heard, "/b"), "render 3 /c"));
    (void)close(fd);
}

static void half_a_head_is_continued(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    assert_int_equal(send(fd, "GET /a HTTP/1.1\r\nHo", 19, 0), 19);
    turn(f);
    assert_int_equal(give(f), 1);
    take_over(f);
    assert_int_equal(send(fd, "st: a\r\n\r\n", 9, 0), 9);
    turn(f);
    render_all(f);
    assert_hears(fd, "200 OK", "render 1 /a");
    (void)close(fd);
}

/* Whom a header of the PROXY protocol named, and that it has come, goes along; half of such a header too. */
static void a_proxied_client_stays_who_he_was(void **state)
{
    static const char header[] = "PROXY TCP4 198.51.100.1 192.0.2.7 1 2\r\n";
    struct fixture *f = *state;
    const struct conn *c;
    int fd[2];

    f->config.http.proxy_protocol = true;
    for (int i = 0; i < 2; i++)
        fd[i] = client(f);
    assert_int_equal(send(fd[0], header, sizeof header - 1, 0), sizeof header - 1);
    assert_int_equal(send(fd[1], header, 20, 0), 20);
    turn(f);
    assert_int_equal(give(f), 2);
    take_over(f);
    ask(f, fd[0], "/a", "");
    render_all(f);
    assert_hears(fd[0], "200 OK", "render 1 /a");
    assert_int_equal(send(fd[1], header + 20, sizeof header - 21, 0), sizeof header - 21);
    turn(f);
    TAILQ_FOREACH(c, &f->worker.http->conns, link)
    {
        assert_int_equal(c->client.family, 4);
        assert_memory_equal(c->client.address, "\xc6\x33\x64\x01", 4);
    }
    ask(f, fd[1], "/a", "");
    assert_hears(fd[1], "detail=hot", "render 1 /a");
    (void)close(fd[0]);
    (void)close(fd[1]);
}

static void a_body_half_way_stays(void **state)
{
    static const char text[] = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf";
    struct fixture *f = *state;
    int fd = client(f);

    assert_int_equal(send(fd, text, sizeof text - 1, 0), sizeof text - 1);
    turn(f);
    assert_int_equal(give(f), 0);
    assert_int_equal(http_connections(f->worker.http), 1);
    (void)close(fd);
    turn(f);
}

static void more_than_one_message_holds_go_in_several(void **state)
{
    struct fixture *f = *state;
    int fd[HANDOVER_FDS + 50];

    for (size_t i = 0; i < array_len(fd); i++)
        fd[i] = client(f);
    assert_int_equal(give(f), array_len(fd));
    take_over(f);
    assert_int_equal(http_connections(f->worker.http), array_len(fd));
    ask(f, fd[HANDOVER_FDS + 7], "/a", "");
    render_all(f);
    assert_hears(fd[HANDOVER_FDS + 7], "200 OK", "render 1 /a");
    for (size_t i = 0; i < array_len(fd); i++)
        (void)close(fd[i]);
}

static void without_room_they_stay_when_the_time_is_over(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    while (send(pair[0], "x", 1, MSG_DONTWAIT) == 1)
        continue;
    assert_int_equal(handover_all(f->worker.http, false, mono_ns()), 0);
    assert_int_equal(http_connections(f->worker.http), 1);
    (void)close(fd);
}

/* Its descriptors are closed, and that is all. */
static void a_message_that_is_none_is_dropped(void **state)
{
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec piece = {(char[]){"nonsense"}, 8};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    struct fixture *f = *state;
    int ends[2];
    char byte;

    log_set_level(LOG_ERROR);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &ends[1], sizeof(int));
    assert_int_equal(sendmsg(pair[0], &message, 0), 8);
    (void)close(ends[1]);
    take_over(f);
    assert_int_equal(http_connections(f->worker.http), 0);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* the other end is open nowhere */
    (void)close(ends[0]);
}

static void a_draining_worker_takes_nothing(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    assert_int_equal(give(f), 1);
    handover_stop(f->worker.http->handover);
    turn(f);
    assert_int_equal(http_connections(f->worker.http), 0);
    (void)close(fd);
}

int main(void)
{
#define WITH_PAIR(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_PAIR(an_idle_connection_goes_on_elsewhere),
        WITH_PAIR(a_request_that_waits_is_rendered_elsewhere),
        WITH_PAIR(what_is_pipelined_goes_along_in_order),
        WITH_PAIR(half_a_head_is_continued),
        WITH_PAIR(a_proxied_client_stays_who_he_was),
        WITH_PAIR(a_body_half_way_stays),
        WITH_PAIR(more_than_one_message_holds_go_in_several),
        WITH_PAIR(without_room_they_stay_when_the_time_is_over),
        WITH_PAIR(a_message_that_is_none_is_dropped),
        WITH_PAIR(a_draining_worker_takes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
