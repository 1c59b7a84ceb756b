/* SPDX-License-Identifier: MIT */
/*
 * fetch_loop.c - libcurl's multi handle on the worker's event loop, by curl_multi_socket_action():
 * an event for each socket that libcurl names, one timer. libcurl keeps the connections.
 */
#include "worker/fetch_state.h"
#include "worker/worker.h"

#include <errno.h>
#include <event2/event.h>

#define IDLE_CONNECTIONS 64L
#define HOST_CONNECTIONS 64L /* more wait for one to be free, and go in order */

struct fetch_loop {
    struct fetches *all;
    CURLM *multi;
    struct event *timer;
};

/* What has ended is told after libcurl has returned: it must not be entered from its callbacks. */
static void reap(struct fetch_loop *l)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(l->multi, &left))) {
        struct fetch *fetch = NULL;
        CURLcode code = message->data.result;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
        fetch_ended(fetch, code);
    }
}

static void act(struct fetch_loop *l, curl_socket_t fd, int what)
{
    int running;

    (void)curl_multi_socket_action(l->multi, fd, what, &running);
    reap(l);
}

static void on_socket(evutil_socket_t fd, short events, void *arg)
{
    act(arg, fd,
        ((events & EV_READ) ? CURL_CSELECT_IN : 0) | ((events & EV_WRITE) ? CURL_CSELECT_OUT : 0));
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
    struct fetch_loop *l = arg;
    struct event *event = socket;
    short events = (short)(((what & CURL_POLL_IN) ? EV_READ : 0) |
                           ((what & CURL_POLL_OUT) ? EV_WRITE : 0) | EV_PERSIST);

    (void)easy;
    if (event)
        event_free(event);
    event = NULL;
    if (what != CURL_POLL_REMOVE) {
        event = event_new(l->all->worker->base, fd, events, on_socket, l);
        if (event && event_add(event, NULL) != 0) {
            event_free(event);
            event = NULL;
        }
    }
    (void)curl_multi_assign(l->multi, fd, event);
    return event || what == CURL_POLL_REMOVE ? 0 : -1;
}

static int set_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct fetch_loop *l = arg;
    struct timeval after = {timeout_ms / 1000, (timeout_ms % 1000) * 1000};

    (void)multi;
    if (timeout_ms < 0)
        return evtimer_del(l->timer);
    return evtimer_add(l->timer, &after);
}

static int loop_new(struct fetches *all, long host_connections, struct fetch_loop **ret_loop)
{
    struct fetch_loop *l = calloc(1, sizeof *l);

    if (!l)
        return -ENOMEM;
    l->all = all;
    l->timer = evtimer_new(all->worker->base, on_timer, l);
    if (l->timer && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        l->multi = curl_multi_init();
    if (!l->multi) {
        fetch_loop_free(l);
        return -ENOMEM;
    }
    (void)curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    (void)curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
    (void)curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
    (void)curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS);
    (void)curl_multi_setopt(l->multi, CURLMOPT_MAX_HOST_CONNECTIONS, host_connections);
    *ret_loop = l;
    return 0;
}

void fetch_loop_free(struct fetch_loop *loop)
{
    if (!loop)
        return;
    if (loop->multi)
        (void)curl_multi_cleanup(loop->multi);
    if (loop->timer)
        event_free(loop->timer);
    free(loop);
}

static struct fetch_loop **loop_of(const struct fetch *fetch)
{
    return fetch->is_inside ? &fetch->all->inside_loop : &fetch->all->loop;
}

int fetch_loop_add(struct fetch *fetch)
{
    struct fetch_loop **loop = loop_of(fetch);

    if (!*loop && loop_new(fetch->all, fetch->is_inside ? 0 : HOST_CONNECTIONS, loop) != 0)
        return -ENOMEM;
    return curl_multi_add_handle((*loop)->multi, fetch->easy) == CURLM_OK ? 0 : -ENOMEM;
}

void fetch_loop_remove(struct fetch *fetch)
{
    struct fetch_loop *loop = *loop_of(fetch);

    if (loop)
        (void)curl_multi_remove_handle(loop->multi, fetch->easy);
}
