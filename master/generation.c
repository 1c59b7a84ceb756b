/* SPDX-License-Identifier: MIT */
/* generation.c - see generation.h: birth, states and end. */
#include "master/config_identity.h"
#include "master/cpus.h"
#include "master/generation_internal.h"
#include "master/notify.h"
#include "master/user.h"
#include "shm/log.h"
#include "shm/offer.h"
#include "shm/region.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#define XXH_INLINE_ALL
#include <sys/random.h>
#include <xxhash.h>

#define DRAIN_GRACE_MS                                                                             \
    2000u /* workers end by themselves at shutdown_timeout; those that can't are killed */
#define LOAD_GRACE_MS 30000u /* on top of what load and warm-up may take */

/* ---- telling the host, from the loop ---- */

static void on_later(evutil_socket_t fd, short events, void *arg)
{
    struct generation *g = arg;

    (void)fd;
    (void)events;
    if (g->refusal) {
        char *text = g->refusal;

        g->refusal = NULL;
        g->host.refused(g->host.arg, g, text);
        free(text);
    }
    if (g->tell_serving) {
        g->tell_serving = false;
        g->host.serving(g->host.arg, g, g->load_ms, g->warm_ms);
    }
    if (g->state == GENERATION_DRAINING && generation_is_empty(g))
        g->host.empty(g->host.arg, g); /* may free it */
}

static void tell_later(struct generation *g)
{
    event_active(g->later, EV_TIMEOUT, 0);
}

void generation_refuse(struct generation *g, const char *text)
{
    if (g->state != GENERATION_LOADING || g->refusal || g->told_serving) {
        log_error("a zygote refuses a bundle that it has loaded before", log_str("problem", text));
        return;
    }
    g->refusal = strdup(text);
    if (!g->refusal)
        g->refusal = calloc(1, 1); /* told without words, rather than not at all */
    tell_later(g);
}

void generation_settle(struct generation *g)
{
    if (g->state == GENERATION_LOADING && !g->refusal) {
        g->state = GENERATION_SERVING;
        g->told_serving = g->tell_serving = true;
    }
    tell_later(g);
}

static void on_retry(evutil_socket_t fd, short events, void *arg)
{
    struct generation *g = arg;

    (void)fd;
    (void)events;
    if (g->zygote_again_ms > 0 && mono_ms() >= g->zygote_again_ms && g->zygote_pid == 0 &&
        g->state != GENERATION_DRAINING) {
        int error = zygote_launch(g);

        if (error) {
            g->zygote_again_ms = mono_ms() + BACKOFF_MAX_MS;
            log_error("a zygote can't be started; it is tried again",
                      log_str("error", strerror(-error)));
        }
    }
    workers_fill(g);
    generation_reschedule(g);
}

void generation_reschedule(struct generation *g)
{
    uint64_t now_ms = mono_ms();
    uint64_t at_ms = g->zygote_ready ? workers_next_ms(g) : UINT64_MAX;
    struct timeval tv;

    if (g->zygote_again_ms > 0 && g->zygote_again_ms < at_ms)
        at_ms = g->zygote_again_ms;
    if (g->state == GENERATION_DRAINING || at_ms == UINT64_MAX) {
        (void)evtimer_del(g->retry);
        return;
    }
    at_ms = at_ms > now_ms ? at_ms - now_ms : 0;
    tv.tv_sec = (time_t)(at_ms / 1000);
    tv.tv_usec = (suseconds_t)(at_ms % 1000 * 1000);
    (void)evtimer_add(g->retry, &tv);
}

/* ---- birth ---- */

static int add_listener(struct generation *g, const char *text, enum listener_kind kind,
                        char *problem, size_t cap)
{
    struct listener *l;
    int error = listeners_get(g->host.listeners, text, kind, &l, problem, cap);

    if (error)
        return error;
    g->listener[g->listener_count] = l;
    g->heritage_listener[g->listener_count] = (struct heritage_listener){l->fd, kind, l->bound};
    g->listener_count++;
    return 0;
}

/* "systemd" stands for every socket handed over. */
static int add_systemd(struct generation *g, char *problem, size_t cap)
{
    int first;
    unsigned count = notify_sockets(&first);
    int error = 0;

    if (count == 0) {
        (void)snprintf(
            problem, cap,
            "listen: systemd: no socket was handed over: start ssrd through ssrd.socket");
        return -ENOENT;
    }
    for (unsigned i = 0; i < count && !error; i++) {
        char text[32];

        (void)snprintf(text, sizeof text, "systemd:%u", i);
        error = add_listener(g, text, LISTENER_PAGES, problem, cap);
    }
    return error;
}

static int open_pages(struct generation *g, char *problem, size_t cap)
{
    const struct str_list *listen = &g->config->listen;
    int first, error = 0;

    if (!g->config->listen_given && notify_sockets(&first) > 0)
        return add_systemd(g, problem, cap);
    for (size_t i = 0; i < listen->count && !error; i++)
        error = strcmp(listen->item[i], "systemd") == 0
                    ? add_systemd(g, problem, cap)
                    : add_listener(g, listen->item[i], LISTENER_PAGES, problem, cap);
    return error;
}

/* The admin address by default: nice to have; asked for: a must. */
static int open_admin(struct generation *g, const char *http_path, char *problem, size_t cap)
{
    char path[128];
    int error;

    if (http_path[0] != '\0') {
        (void)snprintf(path, sizeof path, "unix:%s", http_path);
        error = add_listener(g, path, LISTENER_ADMIN, problem, cap);
        if (error)
            return error;
    }
    if (g->config->admin.listen[0] == '\0')
        return 0;
    error = add_listener(g, g->config->admin.listen, LISTENER_ADMIN, problem, cap);
    if (error && !g->config->admin.listen_given) {
        log_warn("no admin listener: its default address can't be used",
                 log_str("problem", problem));
        return 0;
    }
    return error;
}

static int open_gateways(struct generation *g, char *problem, size_t cap)
{
    const struct config_gateway_list *gateways = &g->config->gateways;
    int error = 0;

    for (size_t i = 0; i < gateways->count && !error; i++)
        error = add_listener(g, gateways->item[i].listen,
                             gateways->item[i].protocol == GATEWAY_INERTIA ? LISTENER_INERTIA
                                                                           : LISTENER_HYPERNOVA,
                             problem, cap);
    return error;
}

static int open_listeners(struct generation *g, const char *http_path, char *problem, size_t cap)
{
    int first;
    size_t most = g->config->listen.count + notify_sockets(&first) + 2 + g->config->gateways.count;
    int error;

    g->listener = calloc(most, sizeof g->listener[0]);
    g->heritage_listener = calloc(most, sizeof g->heritage_listener[0]);
    if (!g->listener || !g->heritage_listener)
        return -ENOMEM;
    error = open_pages(g, problem, cap);
    if (!error)
        error = open_admin(g, http_path, problem, cap);
    return error ? error : open_gateways(g, problem, cap);
}

static int make_bells(struct generation *g)
{
    g->bell = malloc(g->place_count * sizeof g->bell[0]);
    if (!g->bell)
        return -ENOMEM;
    for (size_t i = 0; i < g->place_count; i++)
        g->bell[i] = -1;
    for (size_t i = 0; i < g->place_count; i++) {
        g->bell[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (g->bell[i] < 0)
            return -errno;
    }
    return 0;
}

static int make_places(struct generation *g)
{
    struct cpus cpus;
    unsigned count;

    cpus_read(&cpus);
    count = g->config->workers > 0 ? g->config->workers : cpus_workers(&cpus);
    g->place = calloc(count + 1, sizeof g->place[0]);
    if (!g->place)
        return -ENOMEM;
    g->place_count = count + 1;
    g->place[count].spare = true;
    for (unsigned i = 0; i <= count; i++) {
        g->place[i].number = i;
        g->place[i].cpu = g->config->pin ? cpus.cpu[i % cpus.count] : -1;
    }
    if (count > 1 && count <= OFFER_WORKERS_MAX) {
        int error = offers_new(&g->offers);

        if (error)
            return error;
    }
    return make_bells(g);
}

/* A reload begins a new one, whatever it loads: it is how people drop pages whose data changed. A
 * start goes on with that of the cache file when the pages would be the same. */
static void choose_edition(struct generation *g, uint32_t number)
{
    struct heritage *h = &g->heritage;
    const uint64_t parts[2] = {g->bundle.hash, config_identity(g->config)};

    g->identity =
        XXH3_64bits(parts, sizeof parts) ^ XXH3_64bits(SSRD_VERSION, strlen(SSRD_VERSION));
    if (number == 1) {
        h->edition = region_first_edition(g->host.region, g->identity, &h->edition_before);
    } else {
        h->edition = region_new_edition();
        h->edition_before = g->host.edition_serving;
    }
    if (g->config->cache.on_reload == ON_RELOAD_DROP)
        h->edition_before = 0;
}

/* Once for all generations: stale pages of the last one are served too. Without randomness there is none, and ssr.nonce
 * is empty. */
static const char *nonce_mark(void)
{
    static char mark[HERITAGE_NONCE_BYTES + 1];
    uint8_t random[HERITAGE_NONCE_BYTES / 2];

    if (mark[0] == '\0' && getrandom(random, sizeof random, 0) == (ssize_t)sizeof random)
        for (size_t i = 0; i < sizeof random; i++)
            (void)snprintf(mark + 2 * i, 3, "%02x", random[i]);
    return mark;
}

static void fill_heritage(struct generation *g, uint32_t number)
{
    struct heritage *h = &g->heritage;

    h->config = g->config;
    h->region = g->host.region;
    h->listener = g->heritage_listener;
    h->listener_count = g->listener_count;
    h->bundle = g->bundle.source;
    h->bundle_bytes = g->bundle.bytes;
    h->bundle_name = g->config->bundle.path;
    h->package_is_module = g->bundle.package_is_module;
    h->file = g->bundle.file;
    h->file_count = g->bundle.file_count;
    h->template_part = g->bundle.template_part;
    h->manifest = (struct span){g->bundle.manifest, g->bundle.manifest_bytes};
    h->generation = number;
    choose_edition(g, number);
    h->worker_count = (uint32_t)g->place_count - 1;
    h->offers = g->offers;
    h->bells = (struct bells){g->bell, (uint32_t)g->place_count, number};
    h->handover_give_fd = g->host.handover_give_fd;
    h->handover_take_fd = g->host.handover_take_fd;
    h->master_wake_fd = g->host.wake_fd;
    h->lifeline_fd = g->host.lifeline_read_fd;
    h->version = SSRD_VERSION;
    memcpy(h->nonce_mark, nonce_mark(), sizeof h->nonce_mark);
}

int generation_new(const struct generation_host *host, uint32_t number, struct config *config,
                   struct bundle *bundle, const char *http_path, struct generation **ret_generation,
                   char *problem, size_t cap)
{
    struct generation *g = calloc(1, sizeof *g);
    int error = -ENOMEM;

    (void)snprintf(problem, cap, "out of memory");
    if (!g)
        return error;
    g->host = *host;
    g->channel = -1;
    g->config = config;
    g->bundle = *bundle;
    g->retry = evtimer_new(host->base, on_retry, g);
    g->later = event_new(host->base, -1, 0, on_later, g);
    if (!g->retry || !g->later)
        goto fail;
    g->heritage.generation = number;
    error = make_places(g);
    if (!error)
        error =
            user_choose(g->config, number == 1, &g->heritage.uid, &g->heritage.gid, problem, cap);
    if (!error)
        error = open_listeners(g, http_path, problem, cap);
    if (error)
        goto fail;
    fill_heritage(g, number);
    *ret_generation = g;
    return 0;
fail:
    g->config = NULL; /* the caller's still */
    g->bundle = (struct bundle){0};
    generation_free(g);
    return error;
}

void generation_free(struct generation *generation)
{
    if (!generation)
        return;
    zygote_dismiss(generation);
    if (generation->retry)
        event_free(generation->retry);
    if (generation->later)
        event_free(generation->later);
    for (size_t i = 0; i < generation->listener_count; i++)
        listener_put(generation->host.listeners, generation->listener[i]);
    free(generation->listener);
    free(generation->heritage_listener);
    for (size_t i = 0; generation->bell && i < generation->place_count; i++)
        if (generation->bell[i] >= 0)
            (void)close(generation->bell[i]);
    free(generation->bell);
    offers_free(generation->offers);
    free(generation->place);
    free(generation->refusal);
    bundle_done(&generation->bundle);
    config_free(generation->config);
    free(generation);
}

int generation_launch(struct generation *generation)
{
    return zygote_launch(generation);
}

/* ---- life and end ---- */

bool generation_exited(struct generation *generation, pid_t pid, int status)
{
    bool ours = true;

    if (pid == generation->zygote_pid)
        zygote_exited(generation, status);
    else
        ours = worker_exited(generation, pid, status);
    if (ours && generation->state == GENERATION_DRAINING)
        generation_settle(generation);
    return ours;
}

void generation_poke(struct generation *generation)
{
    workers_poke(generation);
}

uint64_t generation_load_limit_ms(const struct generation *g)
{
    return LOAD_GRACE_MS + g->config->bundle.warmup.count * g->config->policy.timeout_ms;
}

void generation_tick(struct generation *generation, uint64_t now_ms)
{
    workers_tick(generation, now_ms);
    if (generation->state == GENERATION_DRAINING && now_ms > generation->drain_until_ms) {
        generation->drain_until_ms = now_ms + DRAIN_GRACE_MS;
        log_warn("a draining generation is not gone in time; what is left of it is killed",
                 log_uint("generation", generation->heritage.generation));
        generation_kill(generation);
    }
    if (generation->state != GENERATION_DRAINING && generation->zygote_pid > 0 &&
        !generation->zygote_ready &&
        now_ms - generation->zygote_start_ms > generation_load_limit_ms(generation)) {
        if (generation->state == GENERATION_LOADING)
            generation_refuse(generation,
                              "loading the bundle does not end, nor can it be interrupted: a "
                              "built-in at its top level (JSON.parse, fill, indexOf) works on "
                              "too much data");
        (void)kill(generation->zygote_pid, SIGKILL);
    }
}

void generation_signal_workers(const struct generation *generation, int signal_number)
{
    for (size_t i = 0; i < generation->place_count; i++)
        if (generation->place[i].state == PLACE_ALIVE)
            (void)kill(generation->place[i].pid, signal_number);
}

void generation_drain(struct generation *generation)
{
    generation->state = GENERATION_DRAINING;
    generation->drain_until_ms =
        mono_ms() + generation->config->shutdown_timeout_ms + DRAIN_GRACE_MS;
    zygote_dismiss(generation);
    workers_orphaned(generation); /* those on order: adopted and drained, or revoked */
    if (generation->zygote_pid >
        0) /* it may be warming up for a while yet; not in a fork's midst */
        (void)kill(generation->zygote_pid, SIGTERM);
    generation_signal_workers(generation, SIGTERM);
    generation_reschedule(generation);
    generation_settle(generation);
}

void generation_kill(struct generation *generation)
{
    generation->state = GENERATION_DRAINING;
    generation->killed = true;
    if (generation->drain_until_ms == 0)
        generation->drain_until_ms = mono_ms() + DRAIN_GRACE_MS;
    zygote_dismiss(generation);
    workers_orphaned(generation);
    if (generation->zygote_pid > 0)
        (void)kill(generation->zygote_pid, SIGKILL);
    generation_signal_workers(generation, SIGKILL);
    generation_reschedule(generation);
    generation_settle(generation);
}

bool generation_is_empty(const struct generation *generation)
{
    return generation->zygote_pid == 0 && workers_alive(generation) == 0;
}

enum generation_state generation_state(const struct generation *generation)
{
    return generation->state;
}

uint32_t generation_number(const struct generation *generation)
{
    return generation->heritage.generation;
}

const struct config *generation_config(const struct generation *generation)
{
    return generation->config;
}

bool generation_has_stopped_accepting(const struct generation *generation)
{
    return !workers_accept(generation);
}

uint64_t generation_bundle_hash(const struct generation *generation)
{
    return generation->bundle.hash;
}

uint64_t generation_identity(const struct generation *generation)
{
    return generation->identity;
}

const struct heritage *generation_heritage(const struct generation *generation)
{
    return &generation->heritage;
}
