/* SPDX-License-Identifier: MIT */
/*
 * control.c - the control socket's connections: lines in, lines out. What a line says is
 * control_parse.c, what it does control_command.c.
 *
 * Nobody can make the master wait or grow: at most CONTROL_CONNECTIONS_MAX connections (more wait
 * in the listen queue), CONTROL_LINE_BYTES_MAX unread bytes each, one answer in flight each (the
 * next line is looked at when the last answer has left), and DEADLINE_S for a line to come and its
 * answer to be taken.
 */
#include "master/control.h"

#include "master/control_command.h"
#include "master/master.h"
#include "shm/log.h"
#include "shm/stats.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define CONTROL_CONNECTIONS_MAX 32
#define DEADLINE_S 60
#define RETRY_S 1 /* after an accept() that failed for want of descriptors or memory */

struct conn {
    struct control *control;
    struct conn *next;
    struct bufferevent *bev;
    struct event *deadline;
    uint64_t turn; /* when its last line came, or itself: control->turns then */
    enum control_verb awaited;
    bool awaiting; /* the master's outcome of `awaited` */
    bool eof;      /* the client sends no more; it may still read */
    bool closing;  /* to be closed when the last answer has left */
};

struct control {
    struct master *master;
    char *http_path;
    int listen_fd;
    struct event *accept_event;
    struct event *retry_event;
    struct conn *conns;
    size_t conn_count;
    uint64_t turns; /* lines and connections so far */
};

static void conn_free(struct conn *conn)
{
    struct control *control = conn->control;
    struct conn **at = &control->conns;

    while (*at != conn)
        at = &(*at)->next;
    *at = conn->next;
    control->conn_count--;
    if (conn->awaiting)
        master_forget(control->master, conn);
    if (conn->deadline != NULL)
        event_free(conn->deadline);
    if (conn->bev != NULL) {
        /* children forked meanwhile may hold copies: the client must see the end all the same */
        (void)shutdown(bufferevent_getfd(conn->bev), SHUT_RDWR);
        bufferevent_free(conn->bev);
    }
    free(conn);
    if (control->accept_event != NULL)
        (void)event_add(control->accept_event, NULL);
}

static void arm_deadline(struct conn *conn)
{
    static const struct timeval deadline = {.tv_sec = DEADLINE_S};

    (void)event_add(conn->deadline, &deadline);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    conn_free(arg);
}

/* Past the bufferevent, whose loop may not turn again: the process is about to end. */
static void send_now(const struct conn *conn, bool ok, const char *text)
{
    struct evbuffer *line = evbuffer_new();

    if (line == NULL)
        return;
    control_answer(line, ok, text);
    (void)send(bufferevent_getfd(conn->bev), evbuffer_pullup(line, -1), evbuffer_get_length(line),
               MSG_DONTWAIT | MSG_NOSIGNAL);
    evbuffer_free(line);
}

/* The master's outcome; from the loop. */
static void on_outcome(void *arg, bool ok, const char *text)
{
    struct conn *conn = arg;

    conn->awaiting = false;
    arm_deadline(conn);
    if (conn->awaited == CONTROL_RELOAD)
        control_answer(bufferevent_get_output(conn->bev), ok, text == NULL ? "" : text);
    else
        send_now(conn, ok, text == NULL ? "stopped" : text);
}

static void await(struct conn *conn, enum control_verb verb)
{
    struct master *master = conn->control->master;

    conn->awaited = verb;
    conn->awaiting = true;
    (void)event_del(conn->deadline);
    if (verb == CONTROL_RELOAD)
        master_reload(master, on_outcome, conn);
    else
        master_stop(master, verb == CONTROL_DRAIN, on_outcome, conn);
}

static void log_command(enum control_verb verb)
{
    if (verb == CONTROL_STOP || verb == CONTROL_DRAIN || verb == CONTROL_RELOAD)
        log_info("asked over the control socket",
                 log_str("command", verb == CONTROL_RELOAD ? "reload"
                                    : verb == CONTROL_STOP ? "stop"
                                                           : "drain"));
}

/* One line, its line feed excluded. */
static void serve_line(struct conn *conn, const char *line, size_t bytes)
{
    struct evbuffer *out = bufferevent_get_output(conn->bev);
    struct control_request request;
    enum control_next next;
    enum control_verb verb;
    const char *why;

    arm_deadline(conn);
    conn->turn = conn->control->turns++;
    if (control_parse(line, bytes, &request, &why) != 0) {
        control_answer(out, false, why);
        return;
    }
    verb = request.verb;
    log_command(verb);
    next = control_command(conn->control->master, conn->control->http_path, &request, out);
    control_request_done(&request);
    if (next == CONTROL_AWAIT)
        await(conn, verb);
}

/* Serve the next line, unless an answer is still under way. May free conn. */
static void serve_next(struct conn *conn)
{
    struct evbuffer *in = bufferevent_get_input(conn->bev);
    size_t bytes = evbuffer_get_length(in), eol_bytes;
    struct evbuffer_ptr eol;

    if (conn->awaiting || evbuffer_get_length(bufferevent_get_output(conn->bev)) > 0)
        return;
    if (conn->closing) {
        conn_free(conn);
        return;
    }
    eol = evbuffer_search_eol(in, NULL, &eol_bytes, EVBUFFER_EOL_LF);
    if (eol.pos < 0 && bytes > CONTROL_LINE_BYTES_MAX) {
        control_answer(bufferevent_get_output(conn->bev), false, "line too long");
        conn->closing = true;
        return;
    }
    if (eol.pos < 0 && !conn->eof)
        return;
    if (eol.pos < 0 && bytes == 0) {
        conn_free(conn);
        return;
    }
    if (eol.pos < 0) { /* a last line without its line feed */
        eol.pos = (ssize_t)bytes;
        eol_bytes = 0;
    }
    serve_line(conn, (const char *)evbuffer_pullup(in, eol.pos), (size_t)eol.pos);
    (void)evbuffer_drain(in, (size_t)eol.pos + eol_bytes);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    serve_next(arg);
}

/* The last answer has left. */
static void on_written(struct bufferevent *bev, void *arg)
{
    struct conn *conn = arg;

    (void)bev;
    (void)event_add(conn->control->accept_event, NULL); /* it is idle, so it can make room */
    serve_next(conn);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct conn *conn = arg;
    struct pollfd probe = {.fd = bufferevent_getfd(bev)};

    if ((what & BEV_EVENT_ERROR) != 0) {
        conn_free(conn);
        return;
    }
    if ((what & BEV_EVENT_EOF) == 0)
        return;
    conn->eof = true;
    /* closed altogether, not just its sending half: nobody will read the outcome */
    if (conn->awaiting && poll(&probe, 1, 0) == 1 && (probe.revents & (POLLHUP | POLLERR)) != 0)
        conn_free(conn);
    else
        serve_next(conn);
}

static int conn_new(struct control *control, int fd)
{
    struct event_base *base = master_base(control->master);
    struct conn *conn = calloc(1, sizeof *conn);

    if (conn == NULL) {
        (void)close(fd);
        return -ENOMEM;
    }
    conn->control = control;
    conn->turn = control->turns++;
    conn->next = control->conns;
    control->conns = conn;
    control->conn_count++;
    conn->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (conn->bev == NULL) {
        (void)close(fd);
        goto fail;
    }
    conn->deadline = evtimer_new(base, on_deadline, conn);
    if (conn->deadline == NULL)
        goto fail;
    bufferevent_setcb(conn->bev, on_read, on_written, on_event, conn);
    bufferevent_setwatermark(conn->bev, EV_READ, 0, CONTROL_LINE_BYTES_MAX + 2);
    if (bufferevent_enable(conn->bev, EV_READ | EV_WRITE) != 0)
        goto fail;
    arm_deadline(conn);
    return 0;
fail:
    conn_free(conn);
    return -ENOMEM;
}

static bool is_idle(const struct conn *conn)
{
    return !conn->awaiting && evbuffer_get_length(bufferevent_get_output(conn->bev)) == 0;
}

/* Room for one more? Who holds a connection and says nothing must not keep others out. */
static bool make_room(struct control *control)
{
    struct conn *oldest = NULL;

    if (control->conn_count < CONTROL_CONNECTIONS_MAX)
        return true;
    for (struct conn *conn = control->conns; conn != NULL; conn = conn->next)
        if (is_idle(conn) && (oldest == NULL || conn->turn < oldest->turn))
            oldest = conn;
    if (oldest == NULL)
        return false;
    conn_free(oldest);
    return true;
}

static void on_accept(evutil_socket_t listen_fd, short what, void *arg)
{
    static const struct timeval retry = {.tv_sec = RETRY_S};
    struct control *control = arg;
    int fd, rc;

    (void)what;
    if (!make_room(control)) {
        (void)event_del(control->accept_event); /* until one is freed or idle */
        return;
    }
    fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
        return;
    rc = fd < 0 ? -errno : conn_new(control, fd);
    if (rc != 0) {
        log_warn("the control socket takes no connection for a moment",
                 log_str("error", strerror(-rc)));
        (void)event_del(control->accept_event);
        (void)event_add(control->retry_event, &retry);
    }
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct control *control = arg;

    (void)fd, (void)what;
    (void)event_add(control->accept_event, NULL);
}

/* A client that goes away before its answer is no reason to end the server. */
static void ignore_sigpipe(void)
{
    struct sigaction action;

    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
        action.sa_handler = SIG_IGN;
        (void)sigaction(SIGPIPE, &action, NULL);
    }
}

int control_new(struct master *master, int listen_fd, const char *http_path,
                struct control **ret_control)
{
    struct control *control = calloc(1, sizeof *control);

    if (control == NULL) {
        (void)close(listen_fd);
        return -ENOMEM;
    }
    control->master = master;
    control->listen_fd = listen_fd;
    control->http_path = strdup(http_path);
    control->accept_event =
        event_new(master_base(master), listen_fd, EV_READ | EV_PERSIST, on_accept, control);
    control->retry_event = evtimer_new(master_base(master), on_retry, control);
    if (control->http_path == NULL || control->accept_event == NULL ||
        control->retry_event == NULL || event_add(control->accept_event, NULL) != 0) {
        control_free(control);
        return -ENOMEM;
    }
    ignore_sigpipe();
    atomic_store_explicit(&stats_master(master_region(master))->pid, (uint64_t)getpid(),
                          memory_order_relaxed);
    *ret_control = control;
    return 0;
}

void control_free(struct control *control)
{
    if (control == NULL)
        return;
    if (control->accept_event != NULL) {
        event_free(control->accept_event);
        control->accept_event = NULL;
    }
    while (control->conns != NULL) {
        struct conn *conn = control->conns;

        if (conn->awaiting && conn->awaited == CONTROL_RELOAD)
            send_now(conn, false, "the server stops");
        else if (conn->awaiting)
            send_now(conn, true, "stopped");
        conn_free(conn);
    }
    if (control->retry_event != NULL)
        event_free(control->retry_event);
    (void)close(control->listen_fd);
    free(control->http_path);
    free(control);
}
