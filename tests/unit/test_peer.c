/* SPDX-License-Identifier: MIT */
/* test_peer.c - who is at the other end: limits of an address, proxies, what they say of their clients. */
#include "worker/conn_peer.h"
#include "worker/forwarded.h"
#include "worker/limit.h"

#include "tests/unit/http_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static void trust(struct fixture *f, const char *text)
{
    struct http *http = f->worker.http;

    assert_int_equal(network_parse(text, &http->trusted[0]), 0); /* there is room for one */
    http->trusted_count = 1;
}

static void limit(struct fixture *f, uint32_t connections, uint32_t requests)
{
    assert_int_equal(limit_new(connections, (struct config_rate){requests, 3600}, f->worker.row + 1,
                               &f->worker.http->limit),
                     0);
    limit_take_row(f->worker.http->limit, f->worker.row);
}

static int client_from(struct fixture *f, const char *address)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    int pair[2];

    assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    http_wake(f->worker.http);
    assert_int_equal(conn_new(f->worker.http, pair[1], LISTENER_PAGES, (struct sockaddr *)&in), 0);
    return pair[0];
}

static void say(struct fixture *f, int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    turn(f);
}

static const char *seen(const struct fixture *f, const char *name)
{
    static char value[200];
    const struct js_request *q = &f->renderer.open->request;

    for (size_t i = 0; i < q->header_count; i++) {
        const struct js_header *h = &q->headers[i];

        if (h->name_bytes != strlen(name) || memcmp(h->name, name, h->name_bytes) != 0)
            continue;
        (void)snprintf(value, sizeof value, "%.*s", (int)h->value_bytes, h->value);
        return value;
    }
    return "";
}

static void an_address_has_so_many_connections(void **state)
{
    struct fixture *f = *state;
    int fd[3];

    limit(f, 2, 0);
    fd[0] = client_from(f, "192.0.2.1");
    fd[1] = client_from(f, "192.0.2.1");
    fd[2] = client_from(f, "192.0.2.1");
    assert_hears(fd[2], "429 Too Many Requests", "Connection: close");
    assert_string_equal(hear(fd[2]), "EOF");
    (void)close(fd[2]);
    fd[2] = client_from(f, "192.0.2.2");
    assert_string_equal(hear(fd[2]), "");
    (void)close(fd[0]);
    turn(f);
    (void)close(fd[2]);
    fd[2] = client_from(f, "192.0.2.1");
    assert_string_equal(hear(fd[2]), "");
    (void)close(fd[1]);
    (void)close(fd[2]);
}

/* What it sends is read, so that no reset takes the answer from it; in no place that others may have, and not for long. */
static void who_is_turned_away_is_not_cut_off(void **state)
{
    struct fixture *f = *state;
    struct http *http = f->worker.http;
    int fd[2];

    limit(f, 1, 0);
    fd[0] = client_from(f, "192.0.2.1");
    fd[1] = client_from(f, "192.0.2.1");
    for (int i = 0; i < 3; i++)
        ask(f, fd[1], "/a", "");
    assert_hears(fd[1], "HTTP/1.1 429 Too Many Requests\r\n", "Connection: close\r\nDate: ");
    assert_string_equal(hear(fd[1]), "EOF");
    assert_int_equal(f->renderer.queued, 0);
    assert_int_equal(http->turned_count, 1);
    assert_int_equal(http->conn_count, 1);
    (void)close(fd[1]);
    turn(f);
    assert_int_equal(http->turned_count, 0);
    fd[1] = client_from(f, "192.0.2.1");
    assert_int_equal(http->turned_count, 1);
    conn_expired(TAILQ_LAST(&http->conns, conn_list), &http->linger);
    assert_int_equal(http->turned_count, 0);
    (void)close(fd[1]);
    (void)close(fd[0]);
}

static void so_many_are_turned_away_gently(void **state)
{
    struct fixture *f = *state;
    struct http *http = f->worker.http;
    int fd[HTTP_TURNED_MAX + 2];

    for (size_t i = 0; i < array_len(fd); i++) {
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        assert_int_equal(conn_new_unwelcome(http, pair[1]), 0);
        fd[i] = pair[0];
        assert_hears(fd[i], "HTTP/1.1 503 Service Unavailable\r\n", "Retry-After: 1\r\n");
    }
    assert_int_equal(http->turned_count, HTTP_TURNED_MAX);
    assert_int_equal(http->conn_count, 0);
    for (size_t i = 0; i < array_len(fd); i++)
        (void)close(fd[i]);
}

static void a_worker_may_have_what_others_leave(void **state)
{
    struct fixture *f = *state;
    struct http *http = f->worker.http;
    struct stats *other = stats_at(f->region, f->other_row);
    int fd[2];

    f->config.http.connections = 4;
    http->conn_max = 2;
    for (int i = 0; i < 2; i++)
        ask(f, fd[i] = client(f), "/a", ""); /* at work */
    http->now_ms++;
    assert_true(http_has_room(http));
    stats_set(&other->connections, 2);
    http->now_ms++;
    assert_false(http_has_room(http));
    stats_set(&other->connections, 1);
    http->now_ms++;
    assert_true(http_has_room(http));
    for (int i = 0; i < 2; i++)
        (void)close(fd[i]);
}

/* At http.connections: heads that don't arrive, then who has been silent longest; administration is left alone. */
static void who_holds_a_place_without_using_it_gives_way(void **state)
{
    static const char post[] = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nh";
    struct fixture *f = *state;
    struct http *http = f->worker.http;
    struct conn *admin;
    int idle, body, head, waits, old;

    old = client(f);
    admin = TAILQ_LAST(&http->conns, conn_list);
    admin->admin = true;
    http->conn_count--;
    http->admin_count++;
    waits = client(f);
    ask(f, waits, "/w", "");
    body = client(f);
    say(f, body, post);
    TAILQ_LAST(&http->conns, conn_list)->deadline.due_ms -= 5000; /* so long ago */
    idle = client(f);
    say(f, idle, "POST /b HTTP/1.1\r\nHost: a\r\n\r\n"); /* answered: 405 */
    TAILQ_LAST(&http->conns, conn_list)->deadline.due_ms -= 4000;
    head = client(f);
    say(f, head, "GET ");
    TAILQ_LAST(&http->conns, conn_list)->deadline.due_ms -= 3000;
    (void)hear(idle);
    assert_int_equal(http->conn_count, 4);
    assert_true(http_make_room(http));
    assert_string_equal(hear(head), "EOF");
    assert_true(http_make_room(http));
    assert_string_equal(hear(body), "EOF"); /* silent for longer than the other is idle */
    assert_true(http_make_room(http));
    assert_string_equal(hear(idle), "EOF");
    assert_false(http_make_room(http));
    assert_string_equal(hear(waits), "");
    assert_int_equal(http->conn_count, 1);
    assert_int_equal(http->admin_count, 1);
    (void)close(waits);
    (void)close(old);
}

static void an_address_makes_so_many_requests(void **state)
{
    struct fixture *f = *state;
    int fd = client_from(f, "192.0.2.1");
    int other;

    limit(f, 0, 2);
    (void)close(fd);
    fd = client_from(f, "192.0.2.1");
    other = client_from(f, "192.0.2.2");
    for (int i = 0; i < 2; i++) {
        ask(f, fd, "/a", "");
        render_all(f);
        assert_hears(fd, "200 OK", "/a");
    }
    ask(f, fd, "/a", "");
    assert_hears(fd, "429 Too Many Requests", "Retry-After: 1");
    ask(f, other, "/a", "");
    assert_hears(other, "200 OK", "/a");
    (void)close(fd);
    (void)close(other);
}

static void forwarded_fields_count_from_trusted_peers_only(void **state)
{
    static const char fields[] = "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n"
                                 "X-Forwarded-By: a\r\nX-Forwarded-A: b\r\n"
                                 "Forwarded: for=1.2.3.4\r\nX-Forward: kept\r\n";
    static const char *const alone[] = {
        "X-Forwarded-For: 1.2.3.4\r\n", "X-Forwarded-Proto: https\r\n",
        "X-Forwarded-Host: b\r\n",      "X-Forwarded-Port: 1\r\n",
        "X-Forwarded-Server: b\r\n",    "X-Forwarded-By: b\r\n",
        "X-Forwarded-Prefix: /b\r\n",   "X-Forwarded-A: b\r\n",
        "Forwarded: for=1.2.3.4\r\n"};
    struct fixture *f = *state;
    int fd;

    trust(f, "192.0.2.0/24");
    fd = client_from(f, "198.51.100.1");
    for (size_t i = 0; i < array_len(alone); i++) {
        char path[] = "/alone0";

        path[6] = (char)('0' + i);
        ask(f, fd, path, alone[i]);
        assert_true(begin(f));
        assert_int_equal(f->renderer.open->request.header_count, 1); /* Host */
        end(f);
        (void)hear(fd);
    }
    ask(f, fd, "/a", fields);
    assert_true(begin(f));
    assert_string_equal(seen(f, "x-forwarded-for"), "");
    assert_string_equal(seen(f, "x-forwarded-proto"), "");
    assert_string_equal(seen(f, "forwarded"), "");
    assert_string_equal(seen(f, "x-forwarded-by"), "");
    assert_string_equal(seen(f, "x-forward"), "kept");
    end(f);
    (void)close(fd);
    fd = client_from(f, "192.0.2.7");
    ask(f, fd, "/b", fields);
    assert_true(begin(f));
    assert_string_equal(seen(f, "x-forwarded-proto"), "https");
    end(f);
    (void)close(fd);
}

/* What a trusted proxy says of scheme and host is what the render sees, and what its page is kept by. */
static void what_was_asked_of_a_proxy_is_what_was_asked(void **state)
{
    struct fixture *f = *state;
    const struct js_request *q;
    int fd;

    trust(f, "192.0.2.0/24");
    fd = client_from(f, "192.0.2.7");
    ask(f, fd, "/a", "X-Forwarded-Proto: https\r\nX-Forwarded-Host: Shop.Example\r\n");
    assert_true(begin(f));
    q = &f->renderer.open->request;
    assert_int_equal(q->origin_bytes, 20);
    assert_memory_equal(q->origin, "https://shop.example", 20);
    assert_string_equal(seen(f, "host"), "shop.example");
    end(f);
    assert_hears(fd, "fwd=uri-miss; stored", "render 1 /a");
    ask(f, fd, "/a", "Forwarded: proto=https;host=shop.example\r\n");
    assert_hears(fd, "detail=hot", "render 1 /a");
    ask(f, fd, "/a", "X-Forwarded-Host: shop.example\r\n"); /* by http */
    render_all(f);
    assert_hears(fd, "fwd=uri-miss; stored", "render 2 /a");
    ask(f, fd, "/a", "X-Forwarded-Proto: https\r\n"); /* of host "a" */
    render_all(f);
    assert_hears(fd, "fwd=uri-miss; stored", "render 3 /a");
    (void)close(fd);
}

static void what_others_say_of_it_poisons_no_page(void **state)
{
    struct fixture *f = *state;
    int fd;

    trust(f, "192.0.2.0/24");
    fd = client_from(f, "198.51.100.1");
    ask(f, fd, "/a",
        "X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\n"
        "Forwarded: for=1.2.3.4;proto=https;host=evil.example\r\n");
    assert_true(begin(f));
    assert_int_equal(f->renderer.open->request.origin_bytes, 8);
    assert_memory_equal(f->renderer.open->request.origin, "http://a", 8);
    end(f);
    assert_hears(fd, "fwd=uri-miss; stored", "render 1 /a");
    ask(f, fd, "/a", "");
    assert_hears(fd, "detail=hot", "render 1 /a");
    (void)close(fd);
}

static void behind_a_proxy_each_client_has_its_own_limit(void **state)
{
    struct fixture *f = *state;
    int fd;

    trust(f, "192.0.2.0/24");
    limit(f, 1, 1);
    (void)close(client_from(f, "192.0.2.7"));
    fd = client_from(f, "192.0.2.7"); /* a proxy has as many connections as it needs */
    ask(f, fd, "/a", "X-Forwarded-For: 6.6.6.6, 198.51.100.1, 192.0.2.9\r\n");
    render_all(f);
    assert_hears(fd, "200 OK", "/a");
    ask(f, fd, "/a", "X-Forwarded-For: 7.7.7.7, 198.51.100.1\r\n");
    assert_hears(fd, "429", "Retry-After");
    ask(f, fd, "/a", "X-Forwarded-For: 198.51.100.1, 7.7.7.7\r\n");
    assert_hears(fd, "200 OK", "/a");
    ask(f, fd, "/a", "Forwarded: for=\"[2001:db8::1]:80\", for=192.0.2.9\r\n");
    assert_hears(fd, "200 OK", "/a");
    (void)close(fd);
}

/* A proxy keeps connections, and makes requests of its own over them. */
static void who_is_named_is_named_for_that_request_alone(void **state)
{
    struct http_parse named = {.forwarded = true};
    struct http_parse unnamed = {.forwarded = false};
    struct fixture *f = *state;
    const struct conn *c;
    char text[INET6_ADDRSTRLEN];
    int fd;

    trust(f, "192.0.2.0/24");
    limit(f, 0, 1);
    fd = client_from(f, "192.0.2.7");
    c = TAILQ_LAST(&f->worker.http->conns, conn_list);
    ask(f, fd, "/a", "X-Forwarded-For: 198.51.100.1\r\n");
    render_all(f);
    assert_hears(fd, "200 OK", "/a");
    assert_string_equal(peer_text(c, &named, text), "198.51.100.1");
    assert_string_equal(peer_text(c, &unnamed, text), "192.0.2.7");
    assert_string_equal(peer_text(c, NULL, text), "192.0.2.7");
    assert_memory_equal(peer_own(c)->address, "\xc0\x00\x02\x07",
                        4); /* what another worker is told */
    ask(f, fd, "/a", "");
    assert_hears(fd, "200 OK", "/a"); /* the client has had its request, the proxy has not */
    ask(f, fd, "/a", "X-Forwarded-For: unknown\r\n");
    assert_hears(fd, "429", "Retry-After");
    ask(f, fd, "/a", "X-Forwarded-For: 198.51.100.2\r\n");
    assert_hears(fd, "200 OK", "/a");
    (void)close(fd);
}

static void a_proxy_header_comes_first(void **state)
{
    struct fixture *f = *state;
    int fd;

    f->config.http.proxy_protocol = true;
    limit(f, 1, 0);
    fd = client_from(f, "192.0.2.7");
    say(f, fd, "PROXY TCP4 198.51.100.1 192.0.2.7 1 2\r\n");
    assert_string_equal(hear(fd), "");
    ask(f, fd, "/a", "");
    render_all(f);
    assert_hears(fd, "200 OK", "/a");
    (void)close(fd);
    turn(f);
    fd = client_from(f, "192.0.2.7");
    say(f, fd, "PROXY TCP4 198.51.100.1 19"); /* in pieces, and with the request behind it */
    say(f, fd, "2.0.2.7 1 2\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_hears(fd, "200 OK", "/a");
    (void)close(fd);
    turn(f);
    fd = client_from(f, "192.0.2.7");
    say(f, fd, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_string_equal(hear(fd), "EOF");
    (void)close(fd);
}

static void it_does_so_from_trusted_peers_only(void **state)
{
    struct fixture *f = *state;
    int fd;

    f->config.http.proxy_protocol = true;
    trust(f, "192.0.2.0/24");
    fd = client_from(f, "198.51.100.1");
    say(f, fd, "PROXY TCP4 1.2.3.4 192.0.2.7 1 2\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_hears(fd, "501 Not Implemented", "close"); /* PROXY is no method */
    (void)close(fd);
}

static void administration_has_places_of_its_own(void **state)
{
    struct fixture *f = *state;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    http_wake(f->worker.http);
    assert_int_equal(
        conn_new(f->worker.http, pair[1], LISTENER_ADMIN, &(struct sockaddr){.sa_family = AF_UNIX}),
        0);
    assert_int_equal(f->worker.http->conn_count, 0);
    assert_int_equal(f->worker.http->admin_count, 1);
    assert_int_equal(http_connections(f->worker.http), 1);
    (void)close(pair[0]);
    turn(f);
    assert_int_equal(http_connections(f->worker.http), 0);
}

static void networks_are_read_and_matched(void **state)
{
    static const char *const bad[] = {"",         "a",         "1.2.3",  "1.2.3.4/33",
                                      "1.2.3.4/", "1.2.3.4/a", "::/129", "/8"};
    struct network list[3];
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++)
        assert_int_equal(network_parse(bad[i], &list[0]), -EINVAL);
    assert_int_equal(network_parse("10.64.0.0/10", &list[0]), 0);
    assert_int_equal(network_parse("2001:db8::/33", &list[1]), 0);
    assert_int_equal(network_parse("unix", &list[2]), 0);
    (void)inet_pton(AF_INET, "10.127.255.255", &in.sin_addr);
    assert_true(network_any(list, 3, (struct sockaddr *)&in));
    (void)inet_pton(AF_INET, "10.128.0.0", &in.sin_addr);
    assert_false(network_any(list, 3, (struct sockaddr *)&in));
    (void)inet_pton(AF_INET6, "::ffff:10.64.0.1", &in6.sin6_addr);
    assert_true(network_any(list, 3, (struct sockaddr *)&in6));
    (void)inet_pton(AF_INET6, "2001:db8:7fff::1", &in6.sin6_addr);
    assert_true(network_any(list, 3, (struct sockaddr *)&in6));
    (void)inet_pton(AF_INET6, "2001:db8:8000::1", &in6.sin6_addr);
    assert_false(network_any(list, 3, (struct sockaddr *)&in6));
    assert_true(network_any(list, 3, &(struct sockaddr){.sa_family = AF_UNIX}));
    assert_false(network_any(list, 2, &(struct sockaddr){.sa_family = AF_UNIX}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_address_has_so_many_connections),
        TEST(who_is_turned_away_is_not_cut_off),
        TEST(so_many_are_turned_away_gently),
        TEST(a_worker_may_have_what_others_leave),
        TEST(who_holds_a_place_without_using_it_gives_way),
        TEST(an_address_makes_so_many_requests),
        TEST(forwarded_fields_count_from_trusted_peers_only),
        TEST(what_was_asked_of_a_proxy_is_what_was_asked),
        TEST(what_others_say_of_it_poisons_no_page),
        TEST(behind_a_proxy_each_client_has_its_own_limit),
        TEST(who_is_named_is_named_for_that_request_alone),
        TEST(a_proxy_header_comes_first),
        TEST(it_does_so_from_trusted_peers_only),
        TEST(administration_has_places_of_its_own),
        cmocka_unit_test(networks_are_read_and_matched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
