/* SPDX-License-Identifier: MIT */
/*
 * test_notify.c - master/notify.c against a datagram socket of the test. The module reads its
 * environment once a process, so each case runs in a child and reports by its exit code.
 */
#include "master/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

struct manager {
    char dir[64];
    char name[sizeof((struct sockaddr_un *)0)->sun_path]; /* as in NOTIFY_SOCKET */
    int fd;
};

/* For the child, where cmocka's asserts would unwind into a second run of all tests. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                  \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static void in_child(int (*body)(const struct manager *), const struct manager *m)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(body(m));
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int bind_manager(struct manager *m)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t bytes = strlen(m->name);

    memcpy(address.sun_path, m->name, bytes);
    if (m->name[0] == '@')
        address.sun_path[0] = '\0';
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return bind(m->fd, (const struct sockaddr *)&address,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes));
}

static int set_up(void **state)
{
    struct manager *m = calloc(1, sizeof *m);

    if (!m)
        return -1;
    *state = m;
    (void)snprintf(m->dir, sizeof m->dir, "/tmp/ssrd-test-notify-XXXXXX");
    if (!mkdtemp(m->dir))
        return -1;
    (void)snprintf(m->name, sizeof m->name, "%s/notify", m->dir);
    return bind_manager(m);
}

static int set_up_abstract(void **state)
{
    struct manager *m = calloc(1, sizeof *m);

    if (!m)
        return -1;
    *state = m;
    (void)snprintf(m->name, sizeof m->name, "@ssrd-test-notify-%ld", (long)getpid());
    return bind_manager(m);
}

static int tear_down(void **state)
{
    struct manager *m = *state;

    (void)close(m->fd);
    if (m->dir[0] != '\0') {
        (void)unlink(m->name);
        (void)rmdir(m->dir);
    }
    free(m);
    return 0;
}

/* The next message; "" when none has come. Its sender has exited, so there is nothing to wait for.
 */
static const char *received(const struct manager *m)
{
    static char text[2048];
    ssize_t got = recv(m->fd, text, sizeof text - 1, MSG_DONTWAIT);

    text[got > 0 ? got : 0] = '\0';
    return text;
}

static int say_ready(const struct manager *m)
{
    CHECK(setenv("NOTIFY_SOCKET", m->name, 1) == 0);
    notify_init();
    notify_send("READY=1");
    notify_send("STATUS=generation %u serves\nMAINPID=%d", 7u, -1);
    return 0;
}

static void messages_reach_the_manager_one_by_one(void **state)
{
    const struct manager *m = *state;

    in_child(say_ready, m);
    assert_string_equal(received(m), "READY=1");
    assert_string_equal(received(m), "STATUS=generation 7 serves\nMAINPID=-1");
    assert_string_equal(received(m), "");
}

static int say_ready_without_address(const struct manager *m)
{
    (void)m;
    CHECK(unsetenv("NOTIFY_SOCKET") == 0);
    notify_init();
    notify_send("READY=1");
    return 0;
}

static void without_a_manager_nothing_is_sent(void **state)
{
    in_child(say_ready_without_address, *state);
    assert_string_equal(received(*state), "");
}

static int bear_bad_addresses(const struct manager *m)
{
    char long_name[sizeof m->name + 2];
    const char *const bad[] = {"", "relative/notify", "vsock:2:1234", long_name};

    memset(long_name, 'a', sizeof long_name - 1);
    long_name[0] = '/';
    long_name[sizeof long_name - 1] = '\0';
    for (size_t i = 0; i < array_len(bad); i++) {
        CHECK(setenv("NOTIFY_SOCKET", bad[i], 1) == 0);
        notify_init();
        CHECK(getenv("NOTIFY_SOCKET") == NULL);
        notify_send("READY=1");
    }
    return 0;
}

static void addresses_of_other_kinds_are_ignored(void **state)
{
    in_child(bear_bad_addresses, *state);
}

static int say_much(const struct manager *m)
{
    char much[2000];

    memset(much, 'x', sizeof much - 1);
    much[sizeof much - 1] = '\0';
    CHECK(setenv("NOTIFY_SOCKET", m->name, 1) == 0);
    notify_init();
    notify_send("STATUS=%s", much);
    return 0;
}

static void a_long_message_is_cut(void **state)
{
    const char *text;

    in_child(say_much, *state);
    text = received(*state);
    assert_int_equal(strncmp(text, "STATUS=xxx", 10), 0);
    assert_in_range(strlen(text), 256, 1999);
}

static int say_more_than_the_queue_holds(const struct manager *m)
{
    CHECK(setenv("NOTIFY_SOCKET", m->name, 1) == 0);
    notify_init();
    (void)alarm(20); /* ends a child that waits for room after all */
    for (int i = 0; i < 5000; i++)
        notify_send("WATCHDOG=1");
    return 0;
}

static void a_manager_that_does_not_read_holds_up_nobody(void **state)
{
    in_child(say_more_than_the_queue_holds, *state);
    assert_string_equal(received(*state), "WATCHDOG=1");
}

static void a_manager_that_has_gone_does_no_harm(void **state)
{
    struct manager *m = *state;

    (void)close(m->fd);
    m->fd = -1;
    in_child(say_ready, m);
}

static int find_a_clean_environment(const struct manager *m)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                        "LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES"};

    for (size_t i = 0; i < array_len(names); i++)
        CHECK(setenv(names[i], i == 0 ? m->name : "1", 1) == 0);
    CHECK(setenv("SSRD_TEST_OTHER", "1", 1) == 0);
    notify_init();
    for (size_t i = 0; i < array_len(names); i++)
        CHECK(getenv(names[i]) == NULL);
    CHECK(getenv("SSRD_TEST_OTHER") != NULL);
    notify_send("READY=1"); /* what was read is kept */
    return 0;
}

static void the_environment_is_cleaned_and_no_other_name_touched(void **state)
{
    in_child(find_a_clean_environment, *state);
    assert_string_equal(received(*state), "READY=1");
}

/* pid: 0: ours, 1: another's, -1: not said */
static int set_pid(const char *name, int pid)
{
    char text[32];

    if (pid < 0)
        return unsetenv(name);
    (void)snprintf(text, sizeof text, "%ld", pid == 0 ? (long)getpid() : (long)getppid());
    return setenv(name, text, 1);
}

static uint64_t watchdog_of(const char *usec, int pid)
{
    (void)setenv("WATCHDOG_USEC", usec, 1);
    (void)set_pid("WATCHDOG_PID", pid);
    notify_init();
    return notify_watchdog_ms();
}

static int watchdog_ours(const struct manager *m)
{
    CHECK(notify_watchdog_ms() == 0);
    CHECK(watchdog_of("3000000", 0) == 1500);
    CHECK(watchdog_of("20000000", -1) == 10000);
    CHECK(watchdog_of("never", -1) == 0);
    return 0;
}

static int watchdog_of_another(const struct manager *m)
{
    CHECK(watchdog_of("3000000", 1) == 0);
    return 0;
}

static void the_watchdog_is_fed_twice_in_its_time(void **state)
{
    (void)state;
    in_child(watchdog_ours, NULL);
}

static void the_watchdog_of_another_process_is_not_ours(void **state)
{
    (void)state;
    in_child(watchdog_of_another, NULL);
}

static unsigned sockets_of(const char *count, int pid, int *ret_first_fd)
{
    (void)setenv("LISTEN_FDS", count, 1);
    (void)set_pid("LISTEN_PID", pid);
    notify_init();
    return notify_sockets(ret_first_fd);
}

static int sockets_ours(const struct manager *m)
{
    int first = 77;

    CHECK(notify_sockets(&first) == 0);
    CHECK(first == 77); /* outputs stay untouched on failure */
    CHECK(sockets_of("2", 0, &first) == 2);
    CHECK(first == 3);
    return 0;
}

static int sockets_of_another(const struct manager *m)
{
    int first = 77;

    CHECK(sockets_of("2", 1, &first) == 0);
    CHECK(first == 77);
    return 0;
}

static int sockets_of_nobody(const struct manager *m)
{
    int first = 77;

    CHECK(sockets_of("2", -1, &first) == 0);
    CHECK(first == 77);
    return 0;
}

static void sockets_are_ours_only_when_handed_to_this_process(void **state)
{
    (void)state;
    in_child(sockets_ours, NULL);
    in_child(sockets_of_another, NULL);
    in_child(sockets_of_nobody, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_reach_the_manager_one_by_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(messages_reach_the_manager_one_by_one, set_up_abstract,
                                        tear_down),
        cmocka_unit_test_setup_teardown(without_a_manager_nothing_is_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(addresses_of_other_kinds_are_ignored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_message_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_manager_that_does_not_read_holds_up_nobody, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_manager_that_has_gone_does_no_harm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_environment_is_cleaned_and_no_other_name_touched,
                                        set_up, tear_down),
        cmocka_unit_test(the_watchdog_is_fed_twice_in_its_time),
        cmocka_unit_test(the_watchdog_of_another_process_is_not_ours),
        cmocka_unit_test(sockets_are_ours_only_when_handed_to_this_process),
    };

    (void)unsetenv("NOTIFY_SOCKET"); /* what started the tests may be a service itself */
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("LISTEN_FDS");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
