/* SPDX-License-Identifier: MIT */
/*
 * zygote.c - how workers are born. A child of the master that loads the bundle, proves it by
 * rendering the warm-up pages, reports, and then forks workers on the master's word, warming up
 * further while nothing is asked of it. Never opens a connection, an event loop or, at the moment
 * of a fork, a thread. Its life and the fork's conditions: worker/README.md, "The zygote".
 *
 * With `start: cold` V8 never starts in it: a child of its own proves the bundle, and each worker
 * loads it for itself.
 */
#include "shm/heritage.h"
#include "shm/log.h"
#include "shm/region.h"
#include "shm/title.h"
#include "worker/bundle_code.h"
#include "worker/bundle_load.h"
#include "worker/descriptors.h"
#include "worker/fallback.h"
#include "worker/js.h"
#include "worker/limit.h"
#include "worker/privileges.h"
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Before a generation takes traffic: enough for the hot functions to be compiled, short enough for
 * the promises in README.md (start <= 100 ms, reload <= 300 ms). The rest follows when idle. In the place of one that has
 * died as at the start: all workers may have died with it. */
#define HEAT_FIRST_MS 20u
#define HEAT_RELOAD_MS 120u
#define HEAT_SLICE_MS 20u /* a FORK waits at most this long for the idle warm-up */
#define HEAT_IDLE_MS 10   /* no order for so long: the master is done with us for now */
#define HEAT_RENDERS_MAX 2000u
#define HEAT_TOTAL_MS 3000u

struct zygote {
    const struct heritage *heritage;
    int channel;
    struct js *js;      /* NULL with start: cold */
    bool forkable;      /* js_before_fork() was called after the last JavaScript */
    unsigned heat_left; /* renders */
    uint64_t heat_until_ms;
};

static int send_message(const struct zygote *z, const struct zygote_message *message)
{
    size_t bytes = offsetof(struct zygote_message, text) + message->text_bytes;

    return send(z->channel, message, bytes, MSG_NOSIGNAL) == (ssize_t)bytes ? 0 : -errno;
}

static int refuse(const struct zygote *z, const struct problem *problem)
{
    struct zygote_message message = {.verb = ZYGOTE_REFUSED};

    message.text_bytes = (uint32_t)strlen(problem->text);
    memcpy(message.text, problem->text, message.text_bytes);
    (void)send_message(z, &message);
    return EXIT_FAILURE;
}

static void default_signals(void)
{
    static const int reset[] = {SIGTERM, SIGQUIT, SIGCHLD, SIGUSR1, SIGUSR2};
    static const int ignored[] = {SIGINT, SIGHUP,
                                  SIGPIPE}; /* a terminal's Ctrl-C is the master's */
    sigset_t none;

    for (size_t i = 0; i < array_len(reset); i++)
        (void)signal(reset[i], SIG_DFL);
    for (size_t i = 0; i < array_len(ignored); i++)
        (void)signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* start: cold. The same checks as the warm start, in a child whose V8 goes with it; what it has compiled stays. */
static int prove_in_child(const struct zygote *z, struct problem *problem)
{
    int pair[2], code_fd;
    pid_t zygote = getpid(), pid;
    ssize_t got;

    if (pipe(pair) != 0)
        return -errno;
    code_fd = bundle_code_open();
    pid = fork();
    if (pid == 0) {
        struct js *js;

        /* with us: it holds the listening sockets, and may be loading for a while yet */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != zygote)
            _exit(1);
        (void)close(pair[0]);
        bundle_start_v8(z->heritage);
        js = bundle_load(z->heritage, problem);
        if (js && bundle_prove(js, z->heritage, problem) == 0) {
            bundle_code_write(js, code_fd);
            _exit(0);
        }
        (void)!write(pair[1], problem->text, strlen(problem->text));
        _exit(1);
    }
    (void)close(pair[1]);
    if (pid < 0) {
        (void)close(pair[0]);
        (void)close(code_fd);
        return -errno;
    }
    size_t used = 0;
    while ((got = read(pair[0], problem->text + used, sizeof problem->text - 1 - used)) > 0)
        used += (size_t)got;
    problem->text[used] = '\0';
    (void)close(pair[0]);

    int status = 0;
    (void)waitpid(pid, &status, 0);
    bundle_code_seal(code_fd);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (used == 0)
        problem_set(problem, "%s: loading it killed its process (signal %d)",
                    z->heritage->bundle_name, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    return -EINVAL;
}

/* Nobody serves yet, or perhaps nobody any more. */
static bool is_urgent(const struct heritage *heritage)
{
    return heritage->generation == 1 || heritage->replaces;
}

static int prove_here(struct zygote *z, struct problem *problem, struct zygote_message *report)
{
    uint64_t start_ms = mono_ms();

    bundle_start_v8(z->heritage);
    z->js = bundle_load(z->heritage, problem);
    if (!z->js)
        return -EINVAL;
    report->load_ms = (uint32_t)(mono_ms() - start_ms);
    start_ms = mono_ms();
    if (bundle_prove(z->js, z->heritage, problem) != 0)
        return -EINVAL;
    z->heat_left = HEAT_RENDERS_MAX;
    z->heat_left -=
        bundle_heat(z->js, z->heritage, is_urgent(z->heritage) ? HEAT_FIRST_MS : HEAT_RELOAD_MS,
                    HEAT_RENDERS_MAX);
    z->heat_until_ms = mono_ms() + HEAT_TOTAL_MS;
    report->warm_ms = (uint32_t)(mono_ms() - start_ms);
    log_debug("the zygote is ready", log_uint("renders", HEAT_RENDERS_MAX - z->heat_left),
              log_uint("load_ms", report->load_ms), log_uint("warm_ms", report->warm_ms));
    return 0;
}

/* The grandchild: becomes the worker. Its parent exits at once, so that the master adopts it. */
static void grandchild(struct zygote *z, uint32_t row)
{
    (void)close(z->channel); /* V8 may hold others, such as a perf map: those stay */
    if (z->js)
        js_after_fork(z->js);
    _exit(worker_main(z->heritage, z->js, row));
}

/*
 * Fork twice, so that the worker is the master's child (PR_SET_CHILD_SUBREAPER there), which reaps
 * it. Its pid comes through a pipe. fork(2) by glibc twice instead of one clone(CLONE_PARENT): the
 * latter leaves glibc's and V8's idea of the thread id behind.
 */
static int fork_worker(struct zygote *z, uint32_t row, pid_t *ret_pid)
{
    int pair[2];
    pid_t between, pid = -1;
    sigset_t blocked, before;
    int error = 0;

    if (z->js && !z->forkable) {
        error = js_before_fork(z->js);
        if (error)
            return error;
        z->forkable = true;
    }
    if (pipe2(pair, O_CLOEXEC) != 0)
        return -errno;
    sigemptyset(&blocked); /* the worker takes them when it can (worker.c, watch_signals) */
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGQUIT);
    sigaddset(&blocked, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &blocked, &before);
    between = fork();
    if (between == 0) {
        pid = fork();
        if (pid == 0) {
            (void)close(pair[0]);
            (void)close(pair[1]);
            grandchild(z, row);
        }
        if (pid < 0)
            pid = -errno;
        _exit(write(pair[1], &pid, sizeof pid) == sizeof pid ? 0 : 1);
    }
    if (between < 0)
        error = -errno;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    (void)close(pair[1]);
    if (!error && read(pair[0], &pid, sizeof pid) != sizeof pid)
        error = -EIO;
    if (!error && pid < 0)
        error = pid;
    (void)close(pair[0]);
    if (between > 0)
        (void)waitpid(between, NULL, 0);
    if (error == 0)
        *ret_pid = pid;
    return error;
}

static void obey_fork(struct zygote *z, const struct zygote_message *order)
{
    struct zygote_message report = {.verb = ZYGOTE_FORKED, .row = order->row};
    pid_t pid = 0;
    int error = fork_worker(z, order->row, &pid);

    report.pid = pid;
    if (error) {
        report.verb = ZYGOTE_FORK_FAILED;
        report.error = -error;
    }
    (void)send_message(z, &report);
}

static bool is_warm(const struct zygote *z)
{
    return z->heat_left == 0 || mono_ms() >= z->heat_until_ms;
}

/* Nothing is asked of it for now: warm up further, and be ready to fork when that is done, so that a
 * worker's successor does not wait for a collection. */
static void use_idle_time(struct zygote *z)
{
    struct pollfd poll_fd = {.fd = z->channel, .events = POLLIN};

    while (z->js && (!is_warm(z) || !z->forkable) && poll(&poll_fd, 1, HEAT_IDLE_MS) == 0) {
        if (is_warm(z)) {
            z->forkable = js_before_fork(z->js) == 0;
            return;
        }
        unsigned rendered = bundle_heat(z->js, z->heritage, HEAT_SLICE_MS, z->heat_left);

        z->forkable = false;
        z->heat_left = rendered > 0 ? z->heat_left - rendered : 0;
    }
}

/* Wait for the master's next word. False: the master has gone. */
static bool next_order(struct zygote *z, struct zygote_message *order)
{
    use_idle_time(z);
    for (;;) {
        ssize_t got = recv(z->channel, order, sizeof *order, 0);

        if (got >= (ssize_t)offsetof(struct zygote_message, text))
            return true;
        if (got < 0 && errno == EINTR)
            continue;
        return false;
    }
}

/* Dismissed, or is the master no more? Its workers then go on for a while (worker.c, on_lifeline).
 * Nobody but us is left to say that it is for good: no next generation will take over, so that
 * idle connections must not keep them, and with them the address, once they drain. */
static void note_orphans(const struct heritage *heritage)
{
    struct pollfd lifeline = {.fd = heritage->lifeline_fd, .events = POLLIN};

    if (poll(&lifeline, 1, 0) == 1 && (lifeline.revents & POLLHUP) != 0)
        region_set_stopping(heritage->region);
}

int zygote_main(const struct heritage *heritage, int channel_fd)
{
    struct zygote z = {.heritage = heritage, .channel = channel_fd};
    struct zygote_message message = {.verb = ZYGOTE_READY};
    static struct problem problem; /* 8 kB */
    int error;

    log_process("zygote", -1);
    (void)prctl(PR_SET_NAME, "ssrd-zygote");
    title_set("ssrd: zygote, generation %u", heritage->generation);
    default_signals();
    descriptors_keep(heritage, channel_fd);
    fallbacks_read(heritage->config);
    error = privileges_drop(heritage);
    if (error) {
        problem_set(&problem, "can't become user %s: %s", heritage->config->user, strerror(-error));
        return refuse(&z, &problem);
    }
    error = limit_share(heritage->config->http.limit.connections,
                        heritage->config->http.limit.requests, REGION_PEERS_MAX);
    if (error) {
        problem_set(&problem, "no memory for http.limit: %s", strerror(-error));
        return refuse(&z, &problem);
    }
    error = heritage->config->start == START_COLD ? prove_in_child(&z, &problem)
                                                  : prove_here(&z, &problem, &message);
    if (error)
        return refuse(&z, &problem);
    (void)send_message(&z, &message);
    while (next_order(&z, &message))
        if (message.verb == ZYGOTE_FORK)
            obey_fork(&z, &message);
    note_orphans(heritage);
    return EXIT_SUCCESS;
}
