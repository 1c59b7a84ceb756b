/* SPDX-License-Identifier: MIT */
/*
 * stress_offer.c - workers that offer renders, and workers that take them, sleep by their bells and do nothing else; the
 * parent kills some with SIGKILL wherever they are, reaps them as the master does and starts new
 * ones. With --threads: the same in threads and without deaths, for TSan. What it checks: README.md.
 */
#include "shm/bell.h"
#include "shm/offer.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define PEERS_MAX 64u
#define WORDS 24u    /* of a request and of a result */
#define VAIN_MS 8000 /* a bell that has not rung by then never does */

struct board {
    _Atomic uint64_t done, withdrawn, lost, dropped, jobs;
    _Atomic uint32_t stop; /* OWNERS, then ALL: who waits must find somebody who takes */
    _Atomic uint32_t failures;
    char what[160]; /* of the first failure */
};

enum { GO, OWNERS, ALL };

struct actor {
    struct board *board;
    struct offers *offers;
    const struct bells *bells;
    uint32_t number;
    uint64_t random;
};

static void bump(_Atomic uint64_t *counter)
{
    (void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void fail(struct board *board, const char *what, uint64_t job)
{
    if (atomic_fetch_add_explicit(&board->failures, 1, memory_order_relaxed) == 0)
        (void)snprintf(board->what, sizeof board->what, "%s: job %llu", what,
                       (unsigned long long)job);
    atomic_store_explicit(&board->stop, ALL, memory_order_relaxed);
}

static bool stopped(const struct board *board, uint32_t who)
{
    return atomic_load_explicit(&board->stop, memory_order_relaxed) >= who;
}

static uint64_t draw(struct actor *a, uint64_t below)
{
    a->random = (a->random ^ a->random << 13) * UINT64_C(0x9e3779b97f4a7c15);
    a->random ^= a->random >> 29;
    return a->random % below;
}

/* Every word follows from the job, so that a torn or foreign one shows. */
static void write_words(uint64_t *at, uint64_t job, uint64_t salt)
{
    for (uint64_t i = 0; i < WORDS; i++)
        at[i] = (job * 31 + i) ^ salt;
}

static bool are_words(const uint64_t *at, uint64_t job, uint64_t salt)
{
    for (uint64_t i = 0; i < WORDS; i++)
        if (at[i] != ((job * 31 + i) ^ salt))
            return false;
    return true;
}

/* False: the test is over. */
static bool sleep_by_bell(struct actor *a, const char *what, uint64_t job, bool forever)
{
    struct pollfd bell = {.fd = a->bells->fd[a->number], .events = POLLIN};

    for (int i = 0; poll(&bell, 1, forever ? 100 : VAIN_MS / 10) == 0; i++) {
        if (stopped(a->board, ALL))
            return false;
        if (!forever && i == 9) {
            fail(a->board, what, job);
            return false;
        }
    }
    bell_hush(bell.fd);
    return true;
}

/* ---- who offers ---- */

static void check_result(struct actor *a, struct offer offer, uint64_t job)
{
    size_t bytes;
    const uint64_t *at = offer_result(a->offers, offer, &bytes);

    if (bytes != WORDS * 8 || !are_words(at, job, 1))
        fail(a->board, "a torn or foreign result", job);
    bump(&a->board->done);
    offer_drop(a->offers, offer);
}

static void own(struct actor *a)
{
    uint64_t job = atomic_fetch_add_explicit(&a->board->jobs, 1, memory_order_relaxed);
    uint64_t mood = draw(a, 16);
    struct offer offer;
    void *at;

    if (offer_begin(a->offers, a->number, &offer, &at) != 0) {
        fail(a->board, "no slot is free", job);
        return;
    }
    write_words(at, job, 0);
    offer_publish(a->offers, a->bells, offer, WORDS * 8, job);
    if (mood == 0 && offer_withdraw(a->offers, offer)) {
        bump(&a->board->withdrawn);
        return;
    }
    if (mood == 1) { /* mostly when somebody is at it */
        for (int i = 0; i < 1000 && offer_look(a->offers, offer) == OFFER_OPEN; i++)
            (void)sched_yield();
        bump(&a->board->dropped);
        offer_drop(a->offers, offer);
        return;
    }
    for (;;) {
        switch (offer_look(a->offers, offer)) {
        case OFFER_DONE:
            check_result(a, offer, job);
            return;
        case OFFER_LOST:
            bump(&a->board->lost);
            offer_drop(a->offers, offer);
            return;
        default:
            if (!sleep_by_bell(a, "waited in vain", job, false)) {
                offer_drop(a->offers, offer);
                return;
            }
        }
    }
}

/* ---- who takes ---- */

static void help(struct actor *a)
{
    struct offer offer;
    const void *at;
    size_t bytes;
    uint64_t job;

    while (offer_take(a->offers, a->number, &offer, &at, &bytes, &job) == 0) {
        offers_busy(a->offers, a->number);
        if (bytes != WORDS * 8 || !are_words(at, job, 0))
            fail(a->board, "a torn or foreign request", job);
        for (uint64_t i = draw(a, 100); i > 0; i--)
            atomic_signal_fence(memory_order_relaxed);
        write_words(offer_room(a->offers, offer), job, 1);
        if (!are_words(at, job, 0)) /* dropped or not, the slot is ours until we are done */
            fail(a->board, "a request changed under its taker", job);
        offer_finish(a->offers, a->bells, offer, draw(a, 32) == 0 ? 0 : WORDS * 8);
    }
    if (!offers_idle(a->offers, a->number))
        (void)sleep_by_bell(a, "", 0, true);
}

static void *live(void *arg)
{
    struct actor *a = arg;

    while (!stopped(a->board, a->number % 2 ? ALL : OWNERS)) {
        if (a->number % 2)
            help(a);
        else
            own(a);
    }
    return NULL;
}

/* ---- the parent ---- */

static void stop(struct board *board, uint32_t who)
{
    if (!stopped(board, who))
        atomic_store_explicit(&board->stop, who, memory_order_relaxed);
}

static pid_t start(struct actor *actor)
{
    pid_t pid;

    actor->random++;
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)live(actor);
        _exit(0);
    }
    return pid;
}

static void bury(struct actor *actor, pid_t pid)
{
    if (waitpid(pid, NULL, 0) != pid)
        abort();
    (void)offers_reap(actor->offers, actor->bells, actor->number);
}

static unsigned run_processes(struct actor *actors, unsigned peers, uint64_t until_ms,
                              uint64_t quiet_ms, struct actor *dice)
{
    pid_t pid[PEERS_MAX];
    unsigned kills = 0;

    for (unsigned i = 0; i < peers; i++)
        pid[i] = start(&actors[i]);
    while (mono_ms() < until_ms - quiet_ms && !stopped(dice->board, OWNERS)) {
        struct timespec pause = {0, (long)draw(dice, 3000000)};
        unsigned i = (unsigned)draw(dice, peers);

        if (mono_ms() > until_ms - 2 * quiet_ms) /* at last takers only: their owners must notice */
            i = i + 1 < peers ? i | 1 : 1;

        (void)nanosleep(&pause, NULL);
        (void)kill(pid[i], SIGKILL);
        bury(&actors[i], pid[i]);
        pid[i] = start(&actors[i]);
        kills++;
    }
    while (mono_ms() < until_ms && !stopped(dice->board, OWNERS)) /* who dies can't wait in vain */
        (void)nanosleep(&(struct timespec){0, 10000000}, NULL);
    for (uint32_t who = OWNERS; who <= ALL; who++) {
        stop(dice->board, who);
        for (unsigned i = who == OWNERS ? 0 : 1; i < peers; i += 2)
            bury(&actors[i], pid[i]);
    }
    return kills;
}

static void run_threads(struct actor *actors, unsigned peers, uint64_t until_ms,
                        struct board *board)
{
    pthread_t thread[PEERS_MAX];
    struct timespec pause = {0, 10000000};

    for (unsigned i = 0; i < peers; i++)
        if (pthread_create(&thread[i], NULL, live, &actors[i]) != 0)
            abort();
    while (mono_ms() < until_ms && !stopped(board, OWNERS))
        (void)nanosleep(&pause, NULL);
    for (uint32_t who = OWNERS; who <= ALL; who++) {
        stop(board, who);
        for (unsigned i = who == OWNERS ? 0 : 1; i < peers; i += 2)
            (void)pthread_join(thread[i], NULL);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seconds", required_argument, NULL, 's'},
                                            {"peers", required_argument, NULL, 'p'},
                                            {"threads", no_argument, NULL, 't'},
                                            {0}};
    static struct actor actors[PEERS_MAX];
    static int fd[PEERS_MAX];
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct bells bells = {fd, PEERS_MAX, 1};
    struct actor dice = {.board = board, .random = mono_ns()};
    struct offers *offers;
    unsigned seconds = 5, peers = 4, kills = 0;
    bool threads = false;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 's')
            seconds = (unsigned)atoi(optarg);
        else if (c == 'p' && atoi(optarg) > 1 && atoi(optarg) <= (int)PEERS_MAX)
            peers = (unsigned)atoi(optarg);
        else if (c == 't')
            threads = true;
        else
            return 64;
    }
    if (board == MAP_FAILED || offers_new(&offers) != 0)
        return 71;
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        fd[i] = eventfd(0, EFD_NONBLOCK);
        actors[i] = (struct actor){board, offers, &bells, i, dice.random + i * 977};
    }
    if (threads)
        run_threads(actors, peers, mono_ms() + seconds * 1000u, board);
    else
        kills = run_processes(actors, peers, mono_ms() + seconds * 1000u, seconds * 300u, &dice);
    if (!threads && offers_count(offers) != 0)
        fail(board, "slots are held by nobody", offers_count(offers));
    (void)printf("%llu done, %llu withdrawn, %llu dropped, %llu lost, %u kills\n",
                 (unsigned long long)board->done, (unsigned long long)board->withdrawn,
                 (unsigned long long)board->dropped, (unsigned long long)board->lost, kills);
    if (board->failures > 0)
        (void)printf("first of %u: %s\n", board->failures, board->what);
    offers_free(offers);
    return board->failures > 0 || board->done == 0;
}
