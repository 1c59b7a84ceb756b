/* SPDX-License-Identifier: MIT */
/* generation_zygote.c - a generation's zygote: its birth, the words exchanged with it, its death.
 */
#include "master/generation_internal.h"
#include "shm/log.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void hear(struct generation *g, const struct zygote_message *message)
{
    switch (message->verb) {
    case ZYGOTE_READY:
        g->zygote_ready = true;
        g->load_ms = message->load_ms;
        g->warm_ms = message->warm_ms;
        workers_fill(g);
        break;
    case ZYGOTE_REFUSED:
        generation_refuse(g, message->text);
        break;
    case ZYGOTE_FORKED:
        worker_born(g, message->row, message->pid);
        break;
    case ZYGOTE_FORK_FAILED:
        worker_unborn(g, message->row, message->error);
        break;
    default:
        log_error("the zygote said what this master does not know",
                  log_uint("verb", message->verb));
    }
}

static void on_channel(evutil_socket_t fd, short events, void *arg)
{
    struct generation *g = arg;
    static struct zygote_message message; /* 8 kB */
    ssize_t got = recv(fd, &message, sizeof message, MSG_DONTWAIT);

    (void)events;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got < (ssize_t)offsetof(struct zygote_message, text)) {
        (void)event_del(g->on_channel); /* it has died; SIGCHLD says the rest */
        return;
    }
    size_t text_bytes = (size_t)got - offsetof(struct zygote_message, text);
    message.text[text_bytes < sizeof message.text ? text_bytes : sizeof message.text - 1] = '\0';
    hear(g, &message);
}

static int watch_channel(struct generation *g, int fd)
{
    g->on_channel = event_new(g->host.base, fd, EV_READ | EV_PERSIST, on_channel, g);
    if (!g->on_channel || event_add(g->on_channel, NULL) != 0)
        return -ENOMEM;
    g->channel = fd;
    return 0;
}

/* Signals wait meanwhile: until the child has dispositions of its own, libevent's handler in it
 * would tell them to the master, through the pipe that both hold. */
static pid_t fork_zygote(struct generation *g, int channel)
{
    sigset_t all, before;
    pid_t pid;
    int error;

    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0) {
        log_set_format((enum log_format)g->config->log.format);
        _exit(zygote_main(&g->heritage, channel)); /* which unblocks them */
    }
    error = errno;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return pid >= 0 ? pid : -error;
}

int zygote_launch(struct generation *g)
{
    int pair[2];
    pid_t pid;
    int error;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -errno;
    g->heritage.replaces = g->state == GENERATION_SERVING;
    (void)fflush(NULL);
    pid = fork_zygote(g, pair[1]);
    g->zygote_pid = pid > 0 ? pid : 0;
    error = pid > 0 ? 0 : pid;
    (void)close(pair[1]);
    if (!error)
        error = watch_channel(g, pair[0]);
    if (error) {
        (void)close(pair[0]);
        g->channel = -1;
        if (g->zygote_pid > 0)
            (void)kill(g->zygote_pid, SIGKILL);
        return error;
    }
    g->zygote_ready = false;
    g->zygote_start_ms = mono_ms();
    g->zygote_again_ms = 0;
    return 0;
}

void zygote_dismiss(struct generation *g)
{
    if (g->on_channel)
        event_free(g->on_channel);
    g->on_channel = NULL;
    if (g->channel >= 0)
        (void)close(g->channel);
    g->channel = -1;
    g->zygote_ready = false;
}

/* Words it sent before it died are still in the channel: REFUSED above all. */
static void hear_the_rest(struct generation *g)
{
    static struct zygote_message message;
    ssize_t got;

    while (g->channel >= 0 &&
           (got = recv(g->channel, &message, sizeof message - 1, MSG_DONTWAIT)) >=
               (ssize_t)offsetof(struct zygote_message, text)) {
        ((char *)&message)[got] = '\0';
        hear(g, &message);
    }
}

static void refuse_for_death(struct generation *g, int status)
{
    char text[512];

    if (WIFSIGNALED(status))
        (void)snprintf(text, sizeof text,
                       "%s: loading it killed its process with signal %d (%s): out of memory, or a "
                       "fault in V8; try a larger render.heap",
                       g->heritage.bundle_name, WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        (void)snprintf(text, sizeof text,
                       "%s: its zygote exited with status %d before it was ready",
                       g->heritage.bundle_name, WEXITSTATUS(status));
    generation_refuse(g, text);
}

void zygote_exited(struct generation *g, int status)
{
    uint64_t now_ms = mono_ms();
    uint64_t pause_ms;

    hear_the_rest(g);
    g->zygote_pid = 0;
    zygote_dismiss(g);
    workers_orphaned(g);
    if (g->state == GENERATION_DRAINING)
        return;
    if (g->state == GENERATION_LOADING) {
        if (!g->refusal)
            refuse_for_death(g, status);
        return;
    }
    pause_ms = backoff_died(&g->zygote_backoff, now_ms - g->zygote_start_ms,
                            WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    g->zygote_again_ms = now_ms + pause_ms;
    log_warn("the zygote has died and is started again; workers go on serving",
             log_uint("generation", g->heritage.generation),
             log_int("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
             log_uint("pause_ms", pause_ms));
    generation_reschedule(g);
}

int zygote_order(struct generation *g, uint32_t row)
{
    struct zygote_message order = {.verb = ZYGOTE_FORK, .row = row};
    size_t bytes = offsetof(struct zygote_message, text);

    if (!g->zygote_ready || g->channel < 0)
        return -EAGAIN;
    return send(g->channel, &order, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)bytes ? 0
                                                                                          : -errno;
}
