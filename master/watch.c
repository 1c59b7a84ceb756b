/* SPDX-License-Identifier: MIT */
/* watch.c - see watch.h. */
#include "master/watch.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/stat.h>

/* What stat(2) says of a file; all 0: it is not there. */
struct stamp {
    ino_t inode;
    off_t bytes;
    struct timespec changed;
};

struct watched {
    char *name;
    struct stamp stamp;
};

struct watch {
    struct event *timer;
    void (*changed)(void *arg);
    void *arg;
    struct watched *file;
    size_t count;
    bool is_pending; /* something has changed and may go on changing */
};

static struct stamp look_at(const char *name)
{
    struct stat st;

    if (stat(name, &st) != 0)
        return (struct stamp){0};
    return (struct stamp){st.st_ino, st.st_size, st.st_mtim};
}

static bool is_same(const struct stamp *a, const struct stamp *b)
{
    return a->inode == b->inode && a->bytes == b->bytes && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

static void forget(struct watch *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->file[i].name);
    free(w->file);
    w->file = NULL;
    w->count = 0;
    w->is_pending = false;
}

void watch_look(struct watch *w)
{
    bool has_changed = false;

    for (size_t i = 0; i < w->count; i++) {
        struct stamp now = look_at(w->file[i].name);

        has_changed |= !is_same(&now, &w->file[i].stamp);
        w->file[i].stamp = now;
    }
    if (has_changed) {
        w->is_pending = true;
    } else if (w->is_pending) {
        w->is_pending = false;
        w->changed(w->arg);
    }
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    watch_look(arg);
}

int watch_new(struct event_base *base, void (*changed)(void *arg), void *arg,
              struct watch **ret_watch)
{
    struct watch *w = calloc(1, sizeof *w);

    if (!w)
        return -ENOMEM;
    w->changed = changed;
    w->arg = arg;
    w->timer = event_new(base, -1, EV_PERSIST, on_timer, w);
    if (!w->timer) {
        watch_free(w);
        return -ENOMEM;
    }
    *ret_watch = w;
    return 0;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    if (w->timer)
        event_free(w->timer);
    forget(w);
    free(w);
}

static int add(struct watch *w, const char *name)
{
    char *copy = strdup(name);

    if (!copy)
        return -ENOMEM;
    w->file[w->count++] = (struct watched){copy, look_at(copy)};
    return 0;
}

int watch_files(struct watch *w, const struct heritage *h)
{
    static const struct timeval pause = {0, WATCH_MS * 1000L};
    int error = 0;

    forget(w);
    (void)event_del(w->timer);
    if (!h)
        return 0;
    w->file = calloc(h->file_count + 1, sizeof *w->file);
    error = w->file ? add(w, h->bundle_name) : -ENOMEM;
    for (size_t i = 0; i < h->file_count && !error; i++)
        error = add(w, h->file[i].name);
    if (!error && event_add(w->timer, &pause) != 0)
        error = -ENOMEM;
    if (error)
        forget(w);
    return error;
}
