/* SPDX-License-Identifier: MIT */
/*
 * test_control.c - the control socket against a master that only notes what it was asked. Client
 * and server run in this one thread: the client's socket never blocks, the loop is turned until it
 * has a line.
 */
#include "master/control.h"

#include "master/control_command.h"
#include "master/master.h"
#include "shm/cold.h"
#include "shm/log.h"
#include "shm/purge.h"
#include "shm/region.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CONNECTIONS_MAX 32 /* as control.c has it */
#define TURNS 2000         /* of the loop, before a test gives up */

struct master {
    struct event_base *base;
    struct region *region;
    struct cold *cold;
    struct config config;
    struct control *control;
    char dir[40], path[108];
    /* what it was asked */
    master_outcome *done;
    void *done_arg;
    unsigned reloads, forgotten;
    int stop; /* 0: not asked, 1: at once, 2: graceful */
};

struct event_base *master_base(const struct master *master)
{
    return master->base;
}

struct region *master_region(const struct master *master)
{
    return master->region;
}

struct cold *master_cold(const struct master *master)
{
    return master->cold;
}

const struct config *master_config(const struct master *master)
{
    return &master->config;
}

void master_reload(struct master *master, master_outcome *done, void *arg)
{
    master->reloads++;
    master->done = done;
    master->done_arg = arg;
}

void master_forget(struct master *master, void *arg)
{
    master->forgotten++;
    if (master->done_arg == arg)
        master->done = NULL;
}

void master_stop(struct master *master, bool graceful, master_outcome *done, void *arg)
{
    master->stop = graceful ? 2 : 1;
    master->done = done;
    master->done_arg = arg;
}

static int setup(void **state)
{
    static struct master fixture;
    struct master *master = &fixture;
    const struct region_sizes sizes = {.cold_bytes = MIB, .max_object_bytes = 64 * KIB};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    *master = (struct master){.dir = "/tmp/ssrd-test-XXXXXX"};
    master->base = event_base_new();
    if (fd < 0 || master->base == NULL || mkdtemp(master->dir) == NULL ||
        region_create(&sizes, &master->region) != 0 ||
        cold_open(master->region, REGION_PEERS_MAX, &master->cold) != 0)
        return -1;
    (void)snprintf(master->path, sizeof master->path, "%.39s/ctl.sock", master->dir);
    memcpy(address.sun_path, master->path, strlen(master->path) + 1);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 64) != 0)
        return -1;
    *state = master;
    return control_new(master, fd, "/run/test.http", &master->control);
}

static int teardown(void **state)
{
    struct master *master = *state;

    control_free(master->control);
    event_base_free(master->base);
    cold_close(master->cold);
    region_close(master->region);
    (void)unlink(master->path);
    return rmdir(master->dir);
}

static void turn(const struct master *master)
{
    assert_true(event_base_loop(master->base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
}

static int client(const struct master *master)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    memcpy(address.sun_path, master->path, strlen(master->path) + 1);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* All of text, the loop turning whenever the socket is full. */
static void say_bytes(const struct master *master, int fd, const char *data, size_t bytes)
{
    int turns = 0;

    for (size_t sent = 0; sent < bytes;) {
        ssize_t n = send(fd, data + sent, bytes - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n > 0) {
            sent += (size_t)n;
        } else {
            assert_int_equal(errno, EAGAIN);
            assert_true(turns++ < TURNS);
            turn(master);
        }
    }
}

static void say(const struct master *master, int fd, const char *text)
{
    say_bytes(master, fd, text, strlen(text));
}

/* The next line, without its line feed; "" when the server has closed. Valid until the next call.
 */
static const char *hear(const struct master *master, int fd)
{
    static char line[65536];
    size_t bytes = 0;

    for (int turns = 0; turns < TURNS;) {
        ssize_t n = recv(fd, line + bytes, 1, MSG_DONTWAIT);

        assert_true(bytes + 1 < sizeof line);
        if (n < 0 && errno == EAGAIN) {
            turn(master);
            turns++;
        } else if (n <= 0 || line[bytes] == '\n') {
            line[bytes] = '\0';
            return line;
        } else {
            bytes++;
        }
    }
    fail_msg("no answer");
    return NULL;
}

/* Let the server do all that it would do by itself. */
static void settle(const struct master *master)
{
    for (int i = 0; i < 20; i++)
        turn(master);
}

static bool silent(const struct master *master, int fd)
{
    char c;

    settle(master);
    return recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

static const char *ask(const struct master *master, const char *line)
{
    const char *answer;
    autofd int fd = client(master);

    say(master, fd, line);
    say(master, fd, "\n");
    answer = hear(master, fd);
    return answer;
}

static void assert_refused(const struct master *master, const char *line, const char *why)
{
    const char *answer = ask(master, line);

    if (strncmp(answer, "{\"ok\":false,\"text\":\"", 20) != 0 || strstr(answer, why) == NULL)
        fail_msg("%s: %s", line, answer);
}

static void put_page(const struct master *master, const char *host, const char *path)
{
    char key[200];
    const char head[] = "HTTP/1.1 200 OK\r\nX-A: b\r\n", body[] = "<p>";
    struct page_source source = {
        .path_hash = purge_url_hash(path, strlen(path)),
        .epoch = purge_epoch(purge_of(master->region)),
        .stored_ms = region_now_ms(master->region),
        .fresh_until_ms = region_now_ms(master->region) + 60000,
        .status = 200,
        .path_offset_in_key = (uint32_t)strlen(host),
        .path_bytes = (uint32_t)strlen(path),
        .variant[PAGE_IDENTITY] = {.head = {head, sizeof head - 1},
                                   .body = {body, sizeof body - 1},
                                   .etag = {"\"0123456789abcdef\"", 18}},
    };
    autofree struct page *page = NULL;
    static uint64_t hash = 0x1234567800000000u;

    (void)snprintf(key, sizeof key, "%s%s", host, path);
    source.key = (struct span){key, strlen(key)};
    source.hash = hash += 0x9e3779b97f4a7c15u;
    source.swr_until_ms = source.sie_until_ms = source.fresh_until_ms;
    page = malloc(page_bytes(&source));
    assert_non_null(page);
    page_build(&source, page);
    assert_int_equal(cold_put(master->cold, page), 0);
}

static size_t lines_of(const struct master *master, const char *command, char *end, size_t cap)
{
    size_t count = 0;
    autofd int fd = client(master);

    say(master, fd, command);
    for (;;) {
        const char *line = hear(master, fd);

        if (strncmp(line, "{\"ok\":", 6) == 0) {
            (void)snprintf(end, cap, "%s", line);
            return count;
        }
        assert_non_null(strstr(line, "\"url\":"));
        count++;
    }
}

static void where_tells_the_admin_socket(void **state)
{
    const char *answer = ask(*state, "{\"command\":\"where\"}");

    assert_non_null(strstr(answer, "\"ok\":true"));
    assert_non_null(strstr(answer, "\"http\":\"/run/test.http\""));
}

static void status_names_this_process_as_the_master(void **state)
{
    const char *answer = ask(*state, "{\"command\":\"status\"}");
    char pid[40];

    (void)snprintf(pid, sizeof pid, "\"pid\":%d,", (int)getpid());
    assert_int_equal(strncmp(answer, "{\"ok\":true,\"status\":{", 21), 0);
    assert_non_null(strstr(answer, pid));
}

static void cache_stat_answers_with_the_report(void **state)
{
    const char *answer = ask(*state, "{\"command\":\"cache-stat\"}");

    assert_int_equal(strncmp(answer, "{\"ok\":true,\"cache\":{", 20), 0);
}

static void garbage_is_refused_and_the_connection_stays(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "\xff\xfe nonsense\n");
    assert_non_null(strstr(hear(master, fd), "\"ok\":false"));
    say(master, fd, "{\"command\":\"where\"}\n");
    assert_non_null(strstr(hear(master, fd), "\"ok\":true"));
}

static void lines_sent_at_once_are_answered_in_order(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"command\":\"where\"}\n{\"command\":\"x\"}\n{\"command\":\"where\"}\n");
    assert_non_null(strstr(hear(master, fd), "\"ok\":true"));
    assert_non_null(strstr(hear(master, fd), "\"ok\":false"));
    assert_non_null(strstr(hear(master, fd), "\"ok\":true"));
}

static void a_line_in_pieces_is_one_line(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"comm");
    assert_true(silent(master, fd));
    say(master, fd, "and\":\"where\"}");
    assert_true(silent(master, fd));
    say(master, fd, "\n");
    assert_non_null(strstr(hear(master, fd), "\"ok\":true"));
}

static void a_last_line_without_line_feed_is_answered(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"command\":\"where\"}");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_non_null(strstr(hear(master, fd), "\"ok\":true"));
    assert_string_equal(hear(master, fd), ""); /* closed after it */
}

static void an_endless_line_is_refused_and_closed(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);
    autofree char *line = malloc(CONTROL_LINE_BYTES_MAX + 2);

    assert_non_null(line);
    memset(line, 'x', CONTROL_LINE_BYTES_MAX + 2);
    say_bytes(master, fd, line, CONTROL_LINE_BYTES_MAX + 2);
    assert_non_null(strstr(hear(master, fd), "line too long"));
    assert_string_equal(hear(master, fd), "");
}

static void a_reload_is_answered_with_its_outcome(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"command\":\"reload\"}\n");
    assert_true(silent(master, fd));
    assert_int_equal(master->reloads, 1);
    master->done(master->done_arg, true, "generation 2 serves");
    assert_string_equal(hear(master, fd), "{\"ok\":true,\"text\":\"generation 2 serves\"}");
    assert_int_equal(master->forgotten, 0);
}

static void a_refused_reload_carries_the_error_whole(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"command\":\"reload\"}\n");
    assert_true(silent(master, fd));
    master->done(master->done_arg, false, "app.js:3:7: TypeError: \"x\"\n    at f\xff");
    assert_string_equal(
        hear(master, fd),
        "{\"ok\":false,\"text\":\"app.js:3:7: TypeError: \\\"x\\\"\\n    at f\\\\xff\"}");
}

static void the_next_line_waits_for_the_reload(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"command\":\"reload\"}\n{\"command\":\"where\"}\n");
    assert_true(silent(master, fd));
    master->done(master->done_arg, true, "done");
    assert_non_null(strstr(hear(master, fd), "done"));
    assert_non_null(strstr(hear(master, fd), "\"http\""));
}

static void an_asker_that_goes_away_is_forgotten(void **state)
{
    struct master *master = *state;
    int fd = client(master);

    say(master, fd, "{\"command\":\"reload\"}\n");
    assert_true(silent(master, fd));
    (void)close(fd);
    settle(master);
    assert_int_equal(master->forgotten, 1);
    assert_null(master->done);
}

static void an_asker_that_only_stops_sending_hears_the_outcome(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"command\":\"reload\"}\n");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_true(silent(master, fd));
    master->done(master->done_arg, true, "done");
    assert_non_null(strstr(hear(master, fd), "done"));
    assert_string_equal(hear(master, fd), "");
}

static void stop_and_drain_ask_the_master(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"command\":\"drain\"}\n");
    assert_true(silent(master, fd));
    assert_int_equal(master->stop, 2);
    master->done(master->done_arg, true, "drained");
    assert_non_null(strstr(hear(master, fd), "drained")); /* sent without a turn of the loop */
    say(master, fd, "{\"command\":\"stop\"}\n");
    assert_true(silent(master, fd));
    assert_int_equal(master->stop, 1);
}

static void who_waits_for_a_stop_hears_the_end(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"command\":\"stop\"}\n");
    assert_true(silent(master, fd));
    control_free(master->control);
    master->control = NULL;
    assert_string_equal(hear(master, fd), "{\"ok\":true,\"text\":\"stopped\"}");
    assert_string_equal(hear(master, fd), "");
    assert_int_equal(master->forgotten, 1);
}

static void one_connection_too_many_takes_the_place_of_the_idlest(void **state)
{
    struct master *master = *state;
    int idle[CONNECTIONS_MAX];
    autofd int late = -1;

    for (size_t i = 0; i < array_len(idle); i++)
        idle[i] = client(master);
    settle(master);
    say(master, idle[0], "{\"command\":\"where\"}\n"); /* no longer the idlest */
    assert_non_null(strstr(hear(master, idle[0]), "\"ok\":true"));
    say(master, idle[1], "{\"comm"); /* half a line is no reason to stay */
    late = client(master);
    say(master, late, "{\"command\":\"where\"}\n");
    assert_non_null(strstr(hear(master, late), "\"ok\":true"));
    assert_string_equal(hear(master, idle[1]), "");
    assert_true(silent(master, idle[0]));
    assert_true(silent(master, idle[2]));
    for (size_t i = 0; i < array_len(idle); i++)
        (void)close(idle[i]);
}

static void while_all_connections_are_busy_one_more_waits(void **state)
{
    struct master *master = *state;
    int busy[CONNECTIONS_MAX];
    autofd int late = -1;

    for (size_t i = 0; i < array_len(busy); i++) {
        busy[i] = client(master);
        say(master, busy[i], "{\"command\":\"reload\"}\n");
    }
    for (int i = 0; i < TURNS && master->reloads < array_len(busy); i++)
        turn(master);
    late = client(master);
    say(master, late, "{\"command\":\"where\"}\n");
    assert_true(silent(master, late));
    master->done(master->done_arg, true, "done"); /* of the last asker */
    assert_non_null(strstr(hear(master, late), "\"ok\":true"));
    for (size_t i = 0; i < array_len(busy); i++)
        (void)close(busy[i]);
    settle(master);
    assert_int_equal(master->forgotten, array_len(busy) - 1);
}

static void while_a_client_does_not_read_nothing_more_is_done_for_it(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);
    char path[160];
    const char *line;

    for (int i = 0; i < 200; i++) {
        (void)snprintf(path, sizeof path, "/%0100d", i);
        put_page(master, "h", path);
    }
    log_set_level(LOG_WARN);
    for (int i = 0; i < 40; i++) /* 50 kB each: more than the sockets hold */
        say(master, fd, "{\"command\":\"cache-ls\"}\n");
    say(master, fd, "{\"command\":\"log\",\"level\":\"error\"}\n");
    settle(master);
    assert_int_equal(log_get_level(), LOG_WARN);
    do
        line = hear(master, fd);
    while (strstr(line, "log level") == NULL && line[0] != '\0');
    assert_int_equal(log_get_level(), LOG_ERROR);
}

static void purge_by_url_uses_the_normal_form(void **state)
{
    struct master *master = *state;
    char end[100];

    put_page(master, "h", "/a?x=1&y=2");
    put_page(master, "h", "/b");
    assert_non_null(
        strstr(ask(master, "{\"command\":\"purge\",\"urls\":[\"http://other/a?y=2&x=1#top\"]}"),
               "\"ok\":true"));
    assert_int_equal(lines_of(master, "{\"command\":\"cache-ls\"}\n", end, sizeof end), 1);
}

static void purge_by_prefix_spares_the_others(void **state)
{
    struct master *master = *state;
    char end[100];

    put_page(master, "h", "/blog/1");
    put_page(master, "i", "/blog/2");
    put_page(master, "h", "/shop");
    assert_non_null(
        strstr(ask(master, "{\"command\":\"purge\",\"prefixes\":[\"/blog/\"]}"), "\"ok\":true"));
    assert_int_equal(lines_of(master, "{\"command\":\"cache-ls\"}\n", end, sizeof end), 1);
}

static void purge_of_all_leaves_nothing(void **state)
{
    struct master *master = *state;
    char end[100];

    put_page(master, "h", "/a");
    assert_non_null(strstr(ask(master, "{\"command\":\"purge\",\"all\":true}"), "\"ok\":true"));
    assert_int_equal(lines_of(master, "{\"command\":\"cache-ls\"}\n", end, sizeof end), 0);
}

static void a_purge_with_one_bad_url_purges_nothing(void **state)
{
    struct master *master = *state;
    uint64_t epoch = purge_epoch(purge_of(master->region));

    assert_refused(master, "{\"command\":\"purge\",\"all\":true,\"urls\":[\"/a\",\"b\"]}",
                   "not a URL");
    assert_refused(master, "{\"command\":\"purge\",\"tags\":[\"t\"],\"prefixes\":[\"b\"]}",
                   "not a prefix");
    assert_true(purge_epoch(purge_of(master->region)) == epoch);
}

static void cache_ls_lists_what_begins_with_the_prefix(void **state)
{
    struct master *master = *state;
    char end[100];

    put_page(master, "h", "/blog/1");
    put_page(master, "h", "/shop");
    assert_int_equal(
        lines_of(master, "{\"command\":\"cache-ls\",\"prefix\":\"/bl\"}\n", end, sizeof end), 1);
    assert_string_equal(end, "{\"ok\":true,\"entries\":1,\"truncated\":false}");
}

static void cache_get_shows_each_entry_of_a_url(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);
    const char *line;

    put_page(master, "one.example", "/a");
    put_page(master, "two.example", "/a");
    put_page(master, "one.example", "/ab");
    say(master, fd, "{\"command\":\"cache-get\",\"url\":\"/a\"}\n");
    for (int i = 0; i < 2; i++) {
        line = hear(master, fd);
        assert_non_null(strstr(line, "\"url\":\"/a\""));
        assert_non_null(strstr(line, "\"host\":\""));
        assert_non_null(strstr(line, "X-A: b\\r\\n"));
        assert_non_null(strstr(line, "\"body_bytes\":3"));
    }
    assert_string_equal(hear(master, fd), "{\"ok\":true,\"entries\":2,\"truncated\":false}");
    assert_refused(master, "{\"command\":\"cache-get\",\"url\":\"/none\"}",
                   "not in the cold cache");
    assert_refused(master, "{\"command\":\"cache-get\",\"url\":\"none\"}", "not a URL");
}

static void log_changes_the_level(void **state)
{
    assert_non_null(
        strstr(ask(*state, "{\"command\":\"log\",\"level\":\"error\"}"), "\"ok\":true"));
    assert_int_equal(log_get_level(), LOG_ERROR);
    assert_refused(*state, "{\"command\":\"log\",\"level\":\"loud\"}", "unknown level");
    assert_int_equal(log_get_level(), LOG_ERROR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(where_tells_the_admin_socket),
        TEST(status_names_this_process_as_the_master),
        TEST(cache_stat_answers_with_the_report),
        TEST(garbage_is_refused_and_the_connection_stays),
        TEST(lines_sent_at_once_are_answered_in_order),
        TEST(a_line_in_pieces_is_one_line),
        TEST(a_last_line_without_line_feed_is_answered),
        TEST(an_endless_line_is_refused_and_closed),
        TEST(a_reload_is_answered_with_its_outcome),
        TEST(a_refused_reload_carries_the_error_whole),
        TEST(the_next_line_waits_for_the_reload),
        TEST(an_asker_that_goes_away_is_forgotten),
        TEST(an_asker_that_only_stops_sending_hears_the_outcome),
        TEST(stop_and_drain_ask_the_master),
        TEST(who_waits_for_a_stop_hears_the_end),
        TEST(one_connection_too_many_takes_the_place_of_the_idlest),
        TEST(while_all_connections_are_busy_one_more_waits),
        TEST(while_a_client_does_not_read_nothing_more_is_done_for_it),
        TEST(purge_by_url_uses_the_normal_form),
        TEST(purge_by_prefix_spares_the_others),
        TEST(purge_of_all_leaves_nothing),
        TEST(a_purge_with_one_bad_url_purges_nothing),
        TEST(cache_ls_lists_what_begins_with_the_prefix),
        TEST(cache_get_shows_each_entry_of_a_url),
        TEST(log_changes_the_level),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
