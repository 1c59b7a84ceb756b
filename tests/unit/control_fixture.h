/* SPDX-License-Identifier: MIT */
/*
 * control_fixture.h - the control socket for tests, against a master that only notes what it was
 * asked. Client and server run in one thread: the client's socket never blocks, the loop is turned
 * until it has a line. Included by one file a program.
 */
#ifndef SSRD_TESTS_UNIT_CONTROL_FIXTURE_H
#define SSRD_TESTS_UNIT_CONTROL_FIXTURE_H

#include "master/control.h"
#include "master/master.h"
#include "shm/cold.h"
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

#define TURNS 2000 /* of the loop, before a test gives up */

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

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
    struct master *master = *state;

    control_free(master->control);
    event_base_free(master->base);
    cold_close(master->cold);
    region_close(master->region);
    (void)unlink(master->path);
    return rmdir(master->dir);
}

static inline void turn(const struct master *master)
{
    assert_true(event_base_loop(master->base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
}

static inline int client(const struct master *master)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    memcpy(address.sun_path, master->path, strlen(master->path) + 1);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* All of text, the loop turning whenever the socket is full. */
static inline void say_bytes(const struct master *master, int fd, const char *data, size_t bytes)
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

static inline void say(const struct master *master, int fd, const char *text)
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
static inline void settle(const struct master *master)
{
    for (int i = 0; i < 20; i++)
        turn(master);
}

static inline bool silent(const struct master *master, int fd)
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

static inline void assert_refused(const struct master *master, const char *line, const char *why)
{
    const char *answer = ask(master, line);

    if (strncmp(answer, "{\"ok\":false,\"text\":\"", 20) != 0 || strstr(answer, why) == NULL)
        fail_msg("%s: %s", line, answer);
}

static inline void put_page(const struct master *master, const char *host, const char *path)
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
