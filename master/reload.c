/* SPDX-License-Identifier: MIT */
/*
 * reload.c - which generation serves: reads config and bundle, launches the next generation beside
 * the one that serves, swaps them when it serves, or throws it away and says why. One reload runs
 * at a time; those asked for meanwhile become one that follows.
 */
#include "master/config_load.h"
#include "master/master_internal.h"
#include "master/notify.h"
#include "master/sources.h"
#include "master/watch.h"
#include "shm/log.h"
#include "shm/region.h"
#include "shm/stats.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#define PROBLEM_BYTES 9000
#define LEAVING_MS_MAX 10000u

/* ---- outcome ---- */

static void on_verdict(evutil_socket_t fd, short events, void *arg)
{
    struct master *m = arg;
    char *text = m->verdict;

    (void)fd;
    (void)events;
    m->verdict = NULL;
    master_tell(&m->askers, m->verdict_ok, text ? text : "");
    free(text);
    if (m->stopping) { /* STOPPING=1 is the last word */
        master_tell(&m->next, false, "the server is stopping");
        return;
    }
    notify_send("READY=1\nSTATUS=%sgeneration %u serves",
                m->verdict_ok ? "" : "the last reload was refused, the log says why; ",
                m->serving ? generation_number(m->serving) : 0);
    if (!TAILQ_EMPTY(&m->next)) {
        TAILQ_CONCAT(&m->askers, &m->next, link);
        event_active(m->reload_later, EV_TIMEOUT, 0);
    }
}

static void decide(struct master *m, bool ok, const char *text)
{
    struct stats_master *stats = stats_master(m->region);

    atomic_fetch_add_explicit(ok ? &stats->reloads_ok : &stats->reloads_refused, 1,
                              memory_order_relaxed);
    free(m->verdict);
    m->verdict_ok = ok;
    m->verdict = strdup(text);
    event_active(m->verdict_later, EV_TIMEOUT, 0);
}

static void refuse(struct master *m, const char *text)
{
    log_error("reload refused; the old generation goes on", log_str("problem", text));
    decide(m, false, text);
}

/* ---- a generation's fate ---- */

/* A level set by `ssrctl log` stays until the config says another than it did. */
static void take_log(const struct master *m, const struct config *config)
{
    log_set_format((enum log_format)config->log.format);
    if (m->serving && generation_config(m->serving)->log.level != config->log.level)
        log_set_level((enum log_level)config->log.level);
}

static const char *const listener_names[] = {[LISTENER_PAGES] = "pages",
                                             [LISTENER_ADMIN] = "admin",
                                             [LISTENER_INERTIA] = "inertia",
                                             [LISTENER_HYPERNOVA] = "hypernova"};

void reload_on_serving(void *arg, struct generation *generation, uint32_t load_ms, uint32_t warm_ms)
{
    struct master *m = arg;
    const struct heritage *h = generation_heritage(generation);
    struct stats_master *stats = stats_master(m->region);
    bool first = m->serving == NULL;
    char text[300];

    if (generation != m->loading)
        return;
    m->loading = NULL;
    take_log(m, generation_config(generation));
    if (m->serving) {
        generation_drain(m->serving);
        m->leaving = m->serving;
        m->leaving_until_ms = mono_ms() + LEAVING_MS_MAX;
    }
    m->serving = generation;
    m->host.edition_serving = h->edition;
    region_note_edition(m->region, generation_identity(generation), h->edition);
    atomic_store_explicit(&stats->generation, h->generation, memory_order_relaxed);
    atomic_store_explicit(&stats->bundle_hash, generation_bundle_hash(generation),
                          memory_order_relaxed);
    log_info("generation serves", log_uint("generation", h->generation),
             log_str("bundle", h->bundle_name), log_uint("bundle_bytes", h->bundle_bytes),
             log_uint("workers", h->worker_count), log_uint("load_ms", load_ms),
             log_uint("warm_ms", warm_ms));
    for (size_t i = 0; first && i < h->listener_count; i++)
        log_info("listening", log_str("address", h->listener[i].text),
                 log_str("for", listener_names[h->listener[i].kind]));
    (void)snprintf(text, sizeof text, "generation %u serves: %.200s, %u workers", h->generation,
                   h->bundle_name, h->worker_count);
    if (!first) {
        memcpy(m->leaving_text, text, sizeof text);
        reload_check(m);
        return;
    }
    notify_send("READY=1\nSTATUS=%s", text);
    if (!TAILQ_EMPTY(&m->next)) { /* asked for while the first generation loaded */
        TAILQ_CONCAT(&m->askers, &m->next, link);
        event_active(m->reload_later, EV_TIMEOUT, 0);
    }
}

/*
 * The outcome is told when no worker of the old generation accepts any more, so that whoever
 * connects after `ssrctl reload` has returned meets the new one. A worker busy rendering hears of
 * it late, but its deadline bounds that.
 */
void reload_check(struct master *m)
{
    if (!m->leaving ||
        (!generation_has_stopped_accepting(m->leaving) && mono_ms() < m->leaving_until_ms))
        return;
    m->leaving = NULL;
    decide(m, true, m->leaving_text);
}

void reload_on_refused(void *arg, struct generation *generation, const char *text)
{
    struct master *m = arg;

    if (generation != m->loading)
        return;
    m->loading = NULL;
    generation_kill(generation);
    if (m->serving) {
        refuse(m, text);
        return;
    }
    (void)fprintf(stderr, "ssrd: %s\n", text);
    master_give_up(m, 78); /* EX_CONFIG */
}

/* ---- the reload itself ---- */

static void join_problems(const struct config_problems *problems, char *out, size_t cap)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < problems->count && used + 2 < cap; i++) {
        int n = snprintf(out + used, cap - used, "%s%s", i > 0 ? "\n" : "", problems->text[i]);

        used = n < 0 || used + (size_t)n >= cap ? cap - 1 : used + (size_t)n;
    }
}

/* What only a new process can change; the reload goes on without it. */
static void warn_of_fixed(const struct config *now, const struct config *next)
{
    if (now->cache.cold_bytes != next->cache.cold_bytes ||
        now->cache.max_object_bytes != next->cache.max_object_bytes)
        log_warn("cache.cold and cache.max_object take effect at the next start, not by a reload");
    if (strcmp(now->cache.file, next->cache.file) != 0)
        log_warn("cache.file takes effect at the next start, not by a reload");
    if (strcmp(now->admin.socket, next->admin.socket) != 0)
        log_warn("admin.socket takes effect at the next start, not by a reload");
}

static int launch(struct master *m, struct config *config, struct bundle *bundle, char *problem,
                  size_t cap)
{
    struct generation *g = NULL;
    int error =
        generation_new(&m->host, m->next_number, config, bundle, m->http_path, &g, problem, cap);

    if (error)
        return error;
    error = master_add_generation(m, g);
    if (!error)
        error = generation_launch(g);
    if (error) {
        if (error == -ENOSPC)
            (void)snprintf(problem, cap,
                           "%d generations are alive, all but one finishing what they have in "
                           "flight: try again when some have gone, or lower shutdown_timeout",
                           MASTER_GENERATIONS_MAX);
        else
            (void)snprintf(problem, cap, "a zygote can't be started: %s", strerror(-error));
        /* config and bundle are the generation's now: it goes with them, when it was not added */
        if (error == -ENOSPC)
            generation_free(g);
        else
            generation_kill(g);
        return -ECHILD;
    }
    m->next_number++;
    m->loading = g;
    return 0;
}

static void on_changed(void *arg)
{
    struct master *m = arg;

    log_info("the bundle has changed");
    master_reload(m, NULL, NULL);
}

/* bundle.watch: the files of the bundle read last, whatever becomes of its generation. */
static void watch_bundle(struct master *m)
{
    bool wanted = generation_config(m->loading)->bundle.watch;
    int error = 0;

    if (!wanted && !m->watch)
        return;
    if (!m->watch)
        error = watch_new(m->base, on_changed, m, &m->watch);
    if (!error)
        error = watch_files(m->watch, wanted ? generation_heritage(m->loading) : NULL);
    if (error)
        log_warn("the bundle is not watched", log_str("error", strerror(-error)));
}

int reload_first(struct master *m, struct config *config, struct bundle *bundle, char *problem,
                 size_t cap)
{
    int error = launch(m, config, bundle, problem, cap);

    if (!error)
        watch_bundle(m);
    return error;
}

static int read_and_launch(struct master *m, char *problem, size_t cap)
{
    struct config_problems problems = {0};
    struct config *config = NULL;
    struct bundle bundle = {0};
    int error = config_load(m->options.config_path, m->options.override, m->options.override_count,
                            &config, &problems);

    join_problems(&problems, problem, cap);
    if (!error && problems.count > 0)
        log_warn("config", log_str("problem", problem));
    config_problems_done(&problems);
    if (error)
        return error;
    warn_of_fixed(generation_config(m->serving), config);
    error = sources_read(config, &bundle, problem, cap);
    if (!error) {
        error = launch(m, config, &bundle, problem, cap);
        if (!error)
            watch_bundle(m);
        if (!error || error == -ECHILD)
            return error; /* taken */
    }
    bundle_done(&bundle);
    config_free(config);
    return error;
}

static void on_reload(evutil_socket_t fd, short events, void *arg)
{
    struct master *m = arg;
    static char problem[PROBLEM_BYTES];

    (void)fd;
    (void)events;
    if (m->stopping)
        master_tell(&m->askers, false, "the server is stopping");
    if (m->stopping || m->loading || m->leaving || !m->serving)
        return;
    log_info("reloading");
    notify_send("RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading",
                (unsigned long long)(mono_ns() / 1000));
    if (read_and_launch(m, problem, sizeof problem) != 0)
        refuse(m, problem);
}

void master_reload(struct master *master, master_outcome *done, void *arg)
{
    /* running: a reload is loading, or its verdict is on its way; it may have read the files before
     * the asker wrote them, so another one follows */
    bool running = master->loading != NULL || master->leaving != NULL || master->verdict != NULL;

    if (done && master_ask(running ? &master->next : &master->askers, done, arg) != 0)
        return;
    if (!done && running && TAILQ_EMPTY(&master->next))
        (void)master_ask(&master->next, NULL, NULL);
    if (!running)
        event_active(master->reload_later, EV_TIMEOUT, 0);
}

void reload_cancel(struct master *m)
{
    struct generation *loading = m->loading;

    m->loading = NULL;
    m->leaving = NULL;
    if (loading)
        generation_kill(loading);
    master_tell(&m->askers, false, "the server is stopping");
    master_tell(&m->next, false, "the server is stopping");
}

int reload_init(struct master *m)
{
    m->next_number = 1;
    m->reload_later = event_new(m->base, -1, 0, on_reload, m);
    m->verdict_later = event_new(m->base, -1, 0, on_verdict, m);
    return m->reload_later && m->verdict_later ? 0 : -ENOMEM;
}

void reload_done(struct master *m)
{
    watch_free(m->watch);
    if (m->reload_later)
        event_free(m->reload_later);
    if (m->verdict_later)
        event_free(m->verdict_later);
    free(m->verdict);
}
