/* SPDX-License-Identifier: MIT */
/*
 * master.c - the process that everything else is a child of: its loop, its signals, the reaping of
 * children, its end. See master/README.md.
 */
#include "master/master.h"

#include "master/cache_file.h"
#include "master/control.h"
#include "master/main.h"
#include "master/master_internal.h"
#include "master/notify.h"
#include "master/socket_path.h"
#include "shm/cold.h"
#include "shm/hits.h"
#include "shm/log.h"
#include "shm/region.h"
#include "shm/stats.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define TICK_MS 50u
#define SWEEP_MS 5000u
#define DESCRIPTORS_MAX 1048576u

/* ---- asked for by others ---- */

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
    const struct generation *g = master->serving ? master->serving : master->loading;

    return g ? generation_config(g) : NULL;
}

int master_ask(struct askers *askers, master_outcome *done, void *arg)
{
    struct asker *asker = calloc(1, sizeof *asker);

    if (!asker)
        return -ENOMEM;
    asker->done = done;
    asker->arg = arg;
    TAILQ_INSERT_TAIL(askers, asker, link);
    return 0;
}

void master_tell(struct askers *askers, bool ok, const char *text)
{
    struct asker *asker;

    while ((asker = TAILQ_FIRST(askers))) {
        TAILQ_REMOVE(askers, asker, link);
        if (asker->done)
            asker->done(asker->arg, ok, text);
        free(asker);
    }
}

static void forget(struct askers *askers, const void *arg)
{
    struct asker *asker;

    TAILQ_FOREACH(asker, askers, link)
    if (asker->arg == arg)
        asker->done = NULL;
}

void master_forget(struct master *master, void *arg)
{
    forget(&master->askers, arg);
    forget(&master->next, arg);
    forget(&master->stop_askers, arg);
}

/* ---- generations ---- */

int master_add_generation(struct master *m, struct generation *generation)
{
    for (size_t i = 0; i < array_len(m->generation); i++)
        if (!m->generation[i]) {
            m->generation[i] = generation;
            return 0;
        }
    return -ENOSPC;
}

static bool children_left(const struct master *m)
{
    for (size_t i = 0; i < array_len(m->generation); i++)
        if (m->generation[i])
            return true;
    return false;
}

static bool is_of_ours(pid_t pid)
{
    char path[40], name[16] = "";

    (void)snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, name, sizeof name - 1) > 0 &&
           (strncmp(name, "ssrd-zygote", 11) == 0 || strncmp(name, "ssrd-worker", 11) == 0);
}

/*
 * Children that no generation knows any more: a worker revoked on its way, whatever a killed zygote
 * was about to fork. They hold the listening sockets, so that the next ssrd would find its port
 * taken. By name: who started us by exec may have left us children of its own. Without /proc they
 * end by themselves a little after us.
 */
static size_t kill_strays(void)
{
    FILE *file = fopen("/proc/thread-self/children", "re");
    size_t count = 0;
    int pid;

    while (file && fscanf(file, "%d", &pid) == 1)
        if (is_of_ours(pid)) {
            (void)kill(pid, SIGKILL);
            count++;
        }
    if (file)
        (void)fclose(file);
    return count;
}

static void leave_if_done(struct master *m)
{
    if (m->stopping && !children_left(m) && kill_strays() == 0)
        (void)event_base_loopbreak(m->base);
}

static void on_empty(void *arg, struct generation *generation)
{
    struct master *m = arg;

    for (size_t i = 0; i < array_len(m->generation); i++)
        if (m->generation[i] == generation)
            m->generation[i] = NULL;
    if (m->serving == generation)
        m->serving = NULL;
    if (m->loading == generation)
        m->loading = NULL;
    if (m->leaving == generation) {
        m->leaving_until_ms = 0; /* gone: has stopped for good */
        reload_check(m);
    }
    log_debug("generation has gone", log_uint("generation", generation_number(generation)));
    generation_free(generation);
    leave_if_done(m);
}

/* ---- the end ---- */

static void stop_all(struct master *m, bool graceful)
{
    for (size_t i = 0; i < array_len(m->generation); i++) {
        if (!m->generation[i])
            continue;
        if (graceful)
            generation_drain(m->generation[i]);
        else
            generation_kill(m->generation[i]);
    }
    leave_if_done(m);
}

void master_stop(struct master *master, bool graceful, master_outcome *done, void *arg)
{
    bool first = !master->stopping;

    if (done)
        (void)master_ask(&master->stop_askers, done, arg);
    if (first) {
        log_info("stopping", log_str("how", graceful ? "finishing what is in flight" : "at once"));
        notify_send("STOPPING=1\nSTATUS=stopping");
        master->stopping = true;
        region_set_stopping(master->region);
        reload_cancel(master);
    }
    if (first || !graceful)
        stop_all(master, graceful);
    if (first)
        listeners_stop(&master->listeners); /* who connects now is refused, not left to wait */
}

void master_give_up(struct master *m, int exit_code)
{
    m->exit_code = exit_code;
    m->stopping = true;
    stop_all(m, false);
}

/* ---- events ---- */

static void on_child(evutil_socket_t fd, short events, void *arg)
{
    struct master *m = arg;
    int status;
    pid_t pid;

    (void)fd;
    (void)events;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (size_t i = 0; i < array_len(m->generation); i++)
            if (m->generation[i] && generation_exited(m->generation[i], pid, status))
                break;
    leave_if_done(m);
}

static void on_wake(evutil_socket_t fd, short events, void *arg)
{
    struct master *m = arg;
    uint64_t count;

    (void)events;
    (void)!read(fd, &count, sizeof count);
    if (region_reloads_asked(m->region) != m->reloads_seen) {
        m->reloads_seen = region_reloads_asked(m->region);
        master_reload(m, NULL, NULL);
    }
    for (size_t i = 0; i < array_len(m->generation); i++)
        if (m->generation[i])
            generation_poke(m->generation[i]);
    reload_check(m);
}

static void on_tick(evutil_socket_t fd, short events, void *arg)
{
    struct master *m = arg;
    uint64_t now_ms = mono_ms();

    (void)fd;
    (void)events;
    for (size_t i = 0; i < array_len(m->generation); i++)
        if (m->generation[i])
            generation_tick(m->generation[i], now_ms);
    reload_check(m);
    cache_file_tick(m->region);
    if (now_ms >= m->sweep_next_ms) {
        m->sweep_next_ms = now_ms + SWEEP_MS;
        generations_sweep_revoked(&m->host, now_ms);
    }
    if (notify_watchdog_ms() > 0 && now_ms >= m->watchdog_next_ms) {
        m->watchdog_next_ms = now_ms + notify_watchdog_ms();
        notify_send("WATCHDOG=1");
    }
}

static void on_signal(evutil_socket_t signal_number, short events, void *arg)
{
    struct master *m = arg;

    (void)events;
    switch (signal_number) {
    case SIGHUP:
        master_reload(m, NULL, NULL);
        break;
    case SIGTERM:
        master_stop(m, true, NULL, NULL);
        break;
    case SIGINT: /* somebody at a terminal: the second Ctrl-C is impatience */
        master_stop(m, !m->stopping, NULL, NULL);
        break;
    case SIGQUIT:
        master_stop(m, false, NULL, NULL);
        break;
    case SIGUSR1:
        for (size_t i = 0; i < array_len(m->generation); i++)
            if (m->generation[i])
                generation_signal_workers(m->generation[i], SIGUSR1);
        break;
    default:
        log_warn(
            "SIGUSR2: starting a new binary on the same sockets is not available in this version");
    }
}

static int watch_events(struct master *m)
{
    static const int signals[] = {SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};
    static const struct timeval tick = {0, TICK_MS * 1000};
    struct event *event = evsignal_new(m->base, SIGCHLD, on_child, m);

    if (!event || event_add(event, NULL) != 0)
        return -ENOMEM;
    for (size_t i = 0; i < array_len(signals); i++) {
        event = evsignal_new(m->base, signals[i], on_signal, m);
        if (!event || event_add(event, NULL) != 0)
            return -ENOMEM;
    }
    event = event_new(m->base, m->host.wake_fd, EV_READ | EV_PERSIST, on_wake, m);
    if (!event || event_add(event, NULL) != 0)
        return -ENOMEM;
    event = event_new(m->base, -1, EV_PERSIST, on_tick, m);
    return event && event_add(event, &tick) == 0 ? 0 : -ENOMEM;
}

/* ---- birth ---- */

#define HANDOVER_ROOM_BYTES (4 << 20)

static int make_host(struct master *m)
{
    int lifeline[2], handover[2];
    int room_bytes = HANDOVER_ROOM_BYTES;

    m->host = (struct generation_host){
        .base = m->base,
        .region = m->region,
        .cold = m->cold,
        .listeners = &m->listeners,
        .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .serving = reload_on_serving,
        .refused = reload_on_refused,
        .empty = on_empty,
        .arg = m,
    };
    if (m->host.wake_fd < 0 || pipe2(lifeline, O_CLOEXEC | O_NONBLOCK) != 0)
        return -errno;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, handover) != 0)
        return -errno;
    /* as much as the system allows: what is handed over may have to wait for a successor's birth */
    (void)setsockopt(handover[0], SOL_SOCKET, SO_SNDBUF, &room_bytes, sizeof room_bytes);
    m->host.handover_give_fd = handover[0];
    m->host.handover_take_fd = handover[1];
    m->host.lifeline_read_fd = lifeline[0];
    m->host.lifeline_write_fd = lifeline[1];
    return 0;
}

/* The control socket by default: nice to have; asked for: a must. */
static int open_control(struct master *m, const struct config *config, char *problem, size_t cap)
{
    const char *path = config->admin.socket;
    char fallback[SOCKET_PATH_BYTES];
    int fd = -1;
    int error = 0;

    if (!config->admin.socket_given && socket_path_default(fallback, sizeof fallback) == 0) {
        path = fallback;
        error = socket_path_make_directory(path);
    }
    if (path[0] == '\0')
        return 0;
    if (!error)
        error = strlen(path) + sizeof ".http" > sizeof m->http_path
                    ? -ENAMETOOLONG
                    : listener_unix(path, 0600, &fd);
    if (error && !config->admin.socket_given) {
        log_warn("no control socket, ssrctl can't reach this server; set admin.socket",
                 log_str("path", path), log_str("error", strerror(-error)));
        return 0;
    }
    if (error) {
        (void)snprintf(problem, cap, "admin.socket: can't listen on %s: %s%s", path,
                       strerror(-error), error == -EADDRINUSE ? ": another ssrd runs there" : "");
        return error;
    }
    (void)snprintf(m->socket_path, sizeof m->socket_path, "%s", path);
    (void)snprintf(m->http_path, sizeof m->http_path, "%s.http", path);
    return control_new(m, fd, m->http_path, &m->control);
}

static int make_shared(struct master *m, const struct config *config, char *problem, size_t cap)
{
    int error = cache_file_open(config, &m->region, problem, cap);

    if (error)
        return error;
    atomic_store_explicit(&stats_master(m->region)->started_ms, mono_ms(), memory_order_relaxed);
    enum log_level level = log_get_level();
    log_share(region_log_level(m->region));
    log_set_level(level);
    return cold_open(m->region, REGION_PEERS_MAX, &m->cold);
}

static int exit_code_for(int error)
{
    switch (error) {
    case -EADDRINUSE:
    case -EAGAIN:  /* the cache file is its last workers' still */
        return 69; /* EX_UNAVAILABLE */
    case -ENOMEM:
    case -ENOSPC:
    case -EDQUOT:
    case -EFBIG:
    case -EMFILE:
        return 71; /* EX_OSERR */
    case -ECHILD:
        return 70; /* EX_SOFTWARE */
    default:
        return 78; /* EX_CONFIG */
    }
}

/* As many descriptors as we may have: the limit that shells hand down (1,024) is for programs that use select(2). */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn("no more descriptors than were allowed to begin with",
                 log_str("error", strerror(errno)));
}

static int start(struct master *m, struct config *config, struct bundle *bundle, char *problem,
                 size_t cap)
{
    int error;

    (void)snprintf(problem, cap, "out of memory");
    raise_descriptors();
    /* Workers are the zygote's grandchildren: with this they become ours when their parent exits.
     */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return -errno;
    m->base = event_base_new();
    if (!m->base)
        return -ENOMEM;
    error = make_shared(m, config, problem, cap);
    if (!error)
        error = make_host(m);
    if (!error)
        error = watch_events(m);
    if (!error)
        error = reload_init(m);
    if (!error)
        error = open_control(m, config, problem, cap);
    if (!error)
        error = reload_first(m, config, bundle, problem, cap);
    return error;
}

static void clean_up(struct master *m)
{
    /* first its name: closed before, it could be replaced by our successor's, which would go */
    if (m->socket_path[0] != '\0')
        (void)unlink(m->socket_path);
    control_free(m->control);
    for (size_t i = 0; i < array_len(m->generation); i++)
        generation_free(m->generation[i]); /* of a start that failed: else none is left */
    reload_done(m);
    cold_close(m->cold);
    region_close(m->region);
}

int master_main(const struct master_options *options, struct config *config, struct bundle *bundle)
{
    static struct master m; /* one a process; zeroed */
    static char problem[2048];
    int error;

    m.options = *options;
    TAILQ_INIT(&m.listeners);
    TAILQ_INIT(&m.askers);
    TAILQ_INIT(&m.next);
    TAILQ_INIT(&m.stop_askers);
    (void)signal(SIGPIPE, SIG_IGN);
    error = start(&m, config, bundle, problem, sizeof problem);
    if (error) {
        (void)fprintf(stderr, "ssrd: %s\n", problem);
        clean_up(&m);
        return exit_code_for(error);
    }
    (void)event_base_dispatch(m.base);
    master_tell(&m.stop_askers, true, "stopped");
    (void)event_base_loop(m.base, EVLOOP_NONBLOCK); /* the answers leave */
    hits_settle(m.region, m.cold);
    cold_close(take(m.cold));
    region_sync(m.region); /* no child is left to write to it */
    if (m.exit_code == 0)  /* else standard error has said why it ends */
        log_info("stopped");
    clean_up(&m);
    return m.exit_code;
}
