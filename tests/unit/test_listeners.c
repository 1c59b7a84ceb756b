/* SPDX-License-Identifier: MIT */
/*
 * test_listeners.c - sockets of master/listeners.c on loopback, in a directory of the test, and
 * "from the service manager": notify_sockets() is the test's own.
 */
#include "master/listeners.h"
#include "master/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

struct place {
    struct listeners list;
    char dir[64];
    char path[96];
    char text[104]; /* "unix:" path */
    char problem[512];
};

static int handed_over_first;
static unsigned handed_over_count;

unsigned notify_sockets(int *ret_first_fd)
{
    if (handed_over_count > 0)
        *ret_first_fd = handed_over_first;
    return handed_over_count;
}

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    if (!p)
        return -1;
    *state = p;
    TAILQ_INIT(&p->list);
    (void)snprintf(p->dir, sizeof p->dir, "/tmp/ssrd-test-listen-XXXXXX");
    if (!mkdtemp(p->dir))
        return -1;
    (void)snprintf(p->path, sizeof p->path, "%s/s.sock", p->dir);
    (void)snprintf(p->text, sizeof p->text, "unix:%s", p->path);
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;

    handed_over_count = 0;
    (void)unlink(p->path);
    (void)rmdir(p->dir);
    free(p);
    return 0;
}

static struct listener *get(struct place *p, const char *text, enum listener_kind kind)
{
    struct listener *l = NULL;

    assert_int_equal(listeners_get(&p->list, text, kind, &l, p->problem, sizeof p->problem), 0);
    assert_non_null(l);
    return l;
}

/* It fails with error and one line that names text and holds says; nothing is kept. */
static void refused(struct place *p, const char *text, int error, const char *says)
{
    struct listener *l = NULL;

    p->problem[0] = '\0';
    assert_int_equal(
        listeners_get(&p->list, text, LISTENER_PAGES, &l, p->problem, sizeof p->problem), error);
    assert_null(l); /* outputs stay untouched on failure */
    assert_non_null(strstr(p->problem, text));
    assert_non_null(strstr(p->problem, says));
    assert_null(strchr(p->problem, '\n'));
}

static bool is_listening(int fd)
{
    int on = 0;
    socklen_t bytes = sizeof on;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &bytes) == 0 && on;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

/* A Unix socket of the test at path, bound; type SOCK_STREAM listens. */
static int occupy(const char *path, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    if (type != SOCK_DGRAM)
        assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? take_fd(fd)
                                                                               : -errno;
}

static void port_0_is_bound_and_named(void **state)
{
    struct place *p = *state;
    struct listener *l = get(p, "127.0.0.1:0", LISTENER_PAGES);
    struct sockaddr_in address;
    socklen_t bytes = sizeof address;
    char name[64];

    assert_int_equal(getsockname(l->fd, (struct sockaddr *)&address, &bytes), 0);
    (void)snprintf(name, sizeof name, "127.0.0.1:%u", ntohs(address.sin_port));
    assert_true(ntohs(address.sin_port) != 0);
    assert_string_equal(l->bound, name);
    assert_string_equal(l->text, "127.0.0.1:0");
    assert_true(is_listening(l->fd));
    assert_true(fcntl(l->fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(l->fd, F_GETFD) & FD_CLOEXEC);
    listener_put(&p->list, l);
}

/* Or a client that reads nothing could make the kernel keep megabytes for it. */
static void of_what_nobody_reads_the_kernel_takes_little(void **state)
{
    static char much[4 << 20];
    struct place *p = *state;
    struct listener *l = get(p, "127.0.0.1:0", LISTENER_PAGES);
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    int small = 2048, client, fd;
    struct pollfd ready;

    assert_int_equal(getsockname(l->fd, (struct sockaddr *)&address, &bytes), 0);
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, bytes), 0);
    ready = (struct pollfd){.fd = l->fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 10000), 1);
    fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0);
    assert_in_range(send(fd, much, sizeof much, MSG_NOSIGNAL), 1, 3 * LISTENER_UNSENT_BYTES);
    (void)close(fd);
    (void)close(client);
    listener_put(&p->list, l);
}

static void a_v6_address_is_named_in_brackets(void **state)
{
    struct place *p = *state;
    struct listener *l = NULL;

    if (listeners_get(&p->list, "[::1]:0", LISTENER_PAGES, &l, p->problem, sizeof p->problem) != 0)
        skip(); /* no IPv6 here */
    assert_int_equal(strncmp(l->bound, "[::1]:", 6), 0);
    assert_string_not_equal(l->bound, "[::1]:0");
    listener_put(&p->list, l);
}

static void a_host_name_is_looked_up(void **state)
{
    struct place *p = *state;
    struct listener *l = get(p, "localhost:0", LISTENER_PAGES);

    assert_true(is_listening(l->fd));
    listener_put(&p->list, l);
}

static void the_same_text_is_shared_until_the_last_reference(void **state)
{
    struct place *p = *state;
    struct listener *first = get(p, "127.0.0.1:0", LISTENER_PAGES);
    struct listener *second = get(p, "127.0.0.1:0", LISTENER_PAGES);
    int fd = first->fd;

    assert_ptr_equal(first, second);
    assert_int_equal(first->references, 2);
    listener_put(&p->list, first);
    assert_true(is_listening(fd));
    listener_put(&p->list, second);
    assert_false(is_open(fd));
    assert_true(TAILQ_EMPTY(&p->list));
}

static void pages_and_admin_never_share(void **state)
{
    struct place *p = *state;
    struct listener *pages = get(p, "127.0.0.1:0", LISTENER_PAGES);
    struct listener *admin = get(p, "127.0.0.1:0", LISTENER_ADMIN);

    assert_ptr_not_equal(pages, admin);
    assert_int_not_equal(pages->fd, admin->fd);
    listener_put(&p->list, pages);
    assert_true(is_listening(admin->fd));
    listener_put(&p->list, admin);
}

static void a_taken_port_is_named(void **state)
{
    struct place *p = *state;
    struct listener *l = get(p, "127.0.0.1:0", LISTENER_PAGES);
    char taken[64];

    (void)snprintf(taken, sizeof taken, "%s", l->bound);
    refused(p, taken, -EADDRINUSE, "already in use");
    assert_ptr_equal(TAILQ_FIRST(&p->list), l);
    assert_null(TAILQ_NEXT(l, link));
    listener_put(&p->list, l);
    listener_put(&p->list, get(p, taken, LISTENER_PAGES)); /* free again: it can be had */
}

static void an_address_of_another_machine_is_refused(void **state)
{
    refused(*state, "192.0.2.1:0", -EADDRNOTAVAIL, "no such address"); /* RFC 5737: nobody's */
}

static void a_unix_socket_is_made_and_removed(void **state)
{
    struct place *p = *state;
    struct listener *l = get(p, p->text, LISTENER_PAGES);
    int client = dial(p->path);

    assert_string_equal(l->bound, p->text);
    assert_true(client >= 0);
    (void)close(client);
    assert_ptr_equal(get(p, p->text, LISTENER_PAGES), l);
    listener_put(&p->list, l);
    assert_true(is_there(p->path));
    listener_put(&p->list, l);
    assert_false(is_there(p->path));
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    return st.st_mode & 0777;
}

static void permissions_are_for_all_on_pages_and_for_the_owner_on_admin(void **state)
{
    struct place *p = *state;
    mode_t before = umask(022);
    struct listener *l = get(p, p->text, LISTENER_PAGES);

    assert_int_equal(mode_of(p->path), 0666);
    listener_put(&p->list, l);
    l = get(p, p->text, LISTENER_ADMIN);
    assert_int_equal(mode_of(p->path), 0600);
    listener_put(&p->list, l);
    assert_int_equal(umask(before), 022); /* put back */
}

static void the_socket_of_a_dead_server_is_replaced(void **state)
{
    struct place *p = *state;
    struct listener *l;
    int client;

    (void)close(occupy(p->path, SOCK_STREAM));
    assert_true(is_there(p->path));
    l = get(p, p->text, LISTENER_PAGES);
    client = dial(p->path);
    assert_true(client >= 0);
    (void)close(client);
    listener_put(&p->list, l);
}

static void a_live_socket_is_never_replaced(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    struct place *p = *state;

    for (size_t i = 0; i < array_len(types); i++) {
        int fd = occupy(p->path, types[i]);

        refused(p, p->text, -EADDRINUSE, "already in use");
        assert_true(is_there(p->path));
        (void)close(fd);
        assert_int_equal(unlink(p->path), 0);
    }
}

static void a_live_socket_with_a_full_queue_is_never_replaced(void **state)
{
    struct place *p = *state;
    int fd = occupy(p->path, SOCK_STREAM);
    int client[64], count = 0;

    while (count < 64 && (client[count] = dial(p->path)) >= 0)
        count++;
    assert_int_equal(client[count], -EAGAIN);
    refused(p, p->text, -EADDRINUSE, "already in use");
    assert_true(is_there(p->path));
    while (count > 0)
        (void)close(client[--count]);
    (void)close(fd);
}

static void what_is_no_socket_is_never_removed(void **state)
{
    struct place *p = *state;
    int fd = open(p->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    (void)close(fd);
    refused(p, p->text, -EEXIST, "not a socket");
    assert_true(is_there(p->path));
    assert_int_equal(unlink(p->path), 0);

    assert_int_equal(symlink("elsewhere", p->path), 0);
    refused(p, p->text, -EEXIST, "not a socket");
    assert_true(is_there(p->path));
}

static void a_unix_socket_without_its_directory_is_refused(void **state)
{
    struct place *p = *state;
    char text[128];

    (void)snprintf(text, sizeof text, "unix:%s/none/s.sock", p->dir);
    refused(p, text, -ENOENT, "directory");
}

static void a_path_too_long_for_a_socket_is_refused(void **state)
{
    char text[256] = "unix:/tmp/";

    memset(text + 10, 'x', 120);
    refused(*state, text, -ENAMETOOLONG, "too long");
}

static void listener_unix_makes_a_socket_with_the_mode_asked_for(void **state)
{
    struct place *p = *state;
    int fd = -1, second = -1;

    assert_int_equal(listener_unix(p->path, 0640, &fd), 0);
    assert_int_equal(mode_of(p->path), 0640);
    assert_true(is_listening(fd));
    assert_int_equal(listener_unix(p->path, 0640, &second), -EADDRINUSE);
    assert_int_equal(second, -1);
    (void)close(fd);
}

static void a_socket_handed_over_is_used(void **state)
{
    struct place *p = *state;
    struct listener *l;
    int client;

    handed_over_first = occupy(p->path, SOCK_STREAM);
    assert_int_equal(fcntl(handed_over_first, F_SETFD, 0), 0); /* as exec leaves it */
    handed_over_count = 1;
    l = get(p, "systemd:0", LISTENER_PAGES);
    assert_true(is_listening(l->fd));
    assert_true(fcntl(l->fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(l->fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(handed_over_first, F_GETFD) & FD_CLOEXEC);
    client = dial(p->path);
    assert_true(client >= 0);
    (void)close(client);
    listener_put(&p->list, l);
    assert_true(is_there(p->path)); /* its maker's to remove */
    (void)close(handed_over_first);
}

static void a_socket_handed_over_can_be_had_again_and_twice(void **state)
{
    struct place *p = *state;
    struct listener *pages, *admin;

    handed_over_first = occupy(p->path, SOCK_STREAM);
    handed_over_count = 1;
    for (int reload = 0; reload < 2; reload++) {
        pages = get(p, "systemd:0", LISTENER_PAGES);
        admin = get(p, "systemd:0", LISTENER_ADMIN);
        listener_put(&p->list, admin);
        assert_true(is_listening(pages->fd));
        listener_put(&p->list, pages);
    }
    (void)close(handed_over_first);
}

static void a_socket_not_handed_over_is_refused(void **state)
{
    struct place *p = *state;

    refused(p, "systemd:0", -EBADF, "handed over");
    handed_over_first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    handed_over_count = 1;
    refused(p, "systemd:1", -EBADF, "handed over");
    refused(p, "systemd:0", -EBADF, "handed over"); /* not a listening socket */
    (void)close(handed_over_first);
    refused(p, "systemd:0", -EBADF, "handed over"); /* nothing at all */
}

int main(void)
{
#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_PLACE(port_0_is_bound_and_named),
        WITH_PLACE(of_what_nobody_reads_the_kernel_takes_little),
        WITH_PLACE(a_v6_address_is_named_in_brackets),
        WITH_PLACE(a_host_name_is_looked_up),
        WITH_PLACE(the_same_text_is_shared_until_the_last_reference),
        WITH_PLACE(pages_and_admin_never_share),
        WITH_PLACE(a_taken_port_is_named),
        WITH_PLACE(an_address_of_another_machine_is_refused),
        WITH_PLACE(a_unix_socket_is_made_and_removed),
        WITH_PLACE(permissions_are_for_all_on_pages_and_for_the_owner_on_admin),
        WITH_PLACE(the_socket_of_a_dead_server_is_replaced),
        WITH_PLACE(a_live_socket_is_never_replaced),
        WITH_PLACE(a_live_socket_with_a_full_queue_is_never_replaced),
        WITH_PLACE(what_is_no_socket_is_never_removed),
        WITH_PLACE(a_unix_socket_without_its_directory_is_refused),
        WITH_PLACE(a_path_too_long_for_a_socket_is_refused),
        WITH_PLACE(listener_unix_makes_a_socket_with_the_mode_asked_for),
        WITH_PLACE(a_socket_handed_over_is_used),
        WITH_PLACE(a_socket_handed_over_can_be_had_again_and_twice),
        WITH_PLACE(a_socket_not_handed_over_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
