/* SPDX-License-Identifier: MIT */
/*
 * stress_claim.c - many processes claim a few keys, "render" for some microseconds, release, or wait
 * for one another by their bells, while the parent kills some with SIGKILL wherever they are, reaps
 * them as the master does and starts new ones. With --threads: the same in threads and without
 * deaths, for TSan, which then sees the page of a key as plain memory that claims alone order.
 * What it checks: README.md.
 */
#include "shm/bell.h"
#include "shm/claim.h"
#include "shm/peers.h"
#include "shm/region.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define KEYS 12u
#define BUCKETS_OF_KEYS 3u /* four keys in each, one more than a bucket has places */
#define PEERS_MAX 64u
#define VAIN_MS 10000 /* a bell that has not rung by then never does */

struct board {
    uint64_t page[KEYS]; /* plain: only a claim's owner touches it */
    uint64_t twin[KEYS];
    _Atomic uint32_t holder[KEYS]; /* row + 1 of who thinks that it owns the key */
    _Atomic uint64_t renders, waits, refused, lost;
    _Atomic uint32_t stop;
    _Atomic uint32_t failures;
    char what[160]; /* of the first failure */
};

struct actor {
    struct board *board;
    const struct region *region;
    const struct bells *bells;
    uint32_t number;
    uint32_t row;
    uint64_t random;
};

static void bump(_Atomic uint64_t *counter)
{
    (void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void fail(struct board *board, const char *what, uint32_t key)
{
    if (atomic_fetch_add_explicit(&board->failures, 1, memory_order_relaxed) == 0)
        (void)snprintf(board->what, sizeof board->what, "%s: key %u", what, key);
    atomic_store_explicit(&board->stop, 1, memory_order_relaxed);
}

static bool stopped(const struct board *board)
{
    return atomic_load_explicit(&board->stop, memory_order_relaxed) != 0;
}

static uint64_t draw(struct actor *a, uint64_t below)
{
    a->random = (a->random ^ a->random << 13) * UINT64_C(0x9e3779b97f4a7c15);
    a->random ^= a->random >> 29;
    return a->random % below;
}

static struct claim_key key_of(uint32_t key)
{
    return (struct claim_key){.hash = (uint64_t)key << 32 | key % BUCKETS_OF_KEYS,
                              .check = key * UINT64_C(0x9e3779b97f4a7c15),
                              .edition = 1,
                              .epoch = 1};
}

/* The claim is ours: nobody else may think so, and what the last owner did must be seen. */
static void render(struct actor *a, uint32_t key)
{
    struct board *board = a->board;
    uint32_t nobody = 0;
    uint64_t value;

    if (!atomic_compare_exchange_strong_explicit(&board->holder[key], &nobody, a->row + 1,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        fail(board, "two owners", key);
        return;
    }
    value = board->page[key];
    if (board->twin[key] != value)
        fail(board, "the last owner's page is not seen", key);
    board->page[key] = value + 1;
    for (uint64_t i = draw(a, 200); i > 0; i--)
        atomic_signal_fence(memory_order_relaxed);
    if (draw(a, 16) == 0)
        (void)sched_yield();
    board->twin[key] = value + 1;
    bump(&board->renders);
    atomic_store_explicit(&board->holder[key], 0, memory_order_relaxed);
}

static void wait_for(struct actor *a, uint32_t key, struct claim claim)
{
    struct claims *claims = claims_of(a->region);
    struct pollfd bell = {.fd = a->bells->fd[a->number], .events = POLLIN};

    bump(&a->board->waits);
    /* sleeps first: claim_wait() has looked, and the bell may stand for another's claim */
    if (claim_wait(claims, a->row, claim))
        do {
            if (poll(&bell, 1, VAIN_MS) == 0) {
                fail(a->board, "waited in vain", key);
                break;
            }
            bell_hush(bell.fd);
        } while (claim_look(claims, claim) == CLAIM_OPEN);
    switch (claim_look(claims, claim)) {
    case CLAIM_LOST:
        bump(&a->board->lost);
        break;
    case CLAIM_STORED:
        break;
    default:
        fail(a->board, "an outcome that nobody gave", key);
    }
    claim_leave(claims, a->row, claim);
}

static void act(struct actor *a)
{
    uint32_t key = (uint32_t)draw(a, KEYS);
    struct claim_key claim_key = key_of(key);
    struct claim claim;

    switch (claim_take(a->region, a->bells, a->row, &claim_key, &claim)) {
    case 0:
        render(a, key);
        claim_release(a->region, a->bells, claim, CLAIM_STORED);
        break;
    case -EBUSY:
        wait_for(a, key, claim);
        break;
    default:
        bump(&a->board->refused);
    }
}

static void *live(void *arg)
{
    struct actor *a = arg;

    while (!stopped(a->board))
        act(a);
    return NULL;
}

/* ---- the parent ---- */

struct child {
    pid_t pid;
    struct actor actor;
};

static void start(struct region *region, struct child *child)
{
    if (peer_claim(region, 1, child->actor.number, -1, &child->actor.row) != 0)
        abort();
    child->actor.random++;
    child->pid = fork();
    if (child->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)live(&child->actor);
        _exit(0);
    }
}

static void bury(struct region *region, struct child *child)
{
    struct board *board = child->actor.board;
    uint32_t row = child->actor.row;

    if (waitpid(child->pid, NULL, 0) != child->pid)
        abort();
    for (uint32_t key = 0; key < KEYS; key++)
        if (atomic_load_explicit(&board->holder[key], memory_order_relaxed) == row + 1) {
            board->twin[key] = board->page[key];
            atomic_store_explicit(&board->holder[key], 0, memory_order_relaxed);
        }
    (void)claim_reap(region, child->actor.bells, row);
    peer_release(region, row);
}

static unsigned kill_some(struct region *region, struct child *children, unsigned peers,
                          uint64_t until_ms, struct actor *dice)
{
    unsigned kills = 0;

    while (mono_ms() < until_ms && !stopped(dice->board)) {
        struct child *child = &children[draw(dice, peers)];
        struct timespec pause = {0, (long)draw(dice, 3000000)};

        (void)nanosleep(&pause, NULL);
        (void)kill(child->pid, SIGKILL);
        bury(region, child);
        start(region, child);
        kills++;
    }
    return kills;
}

/* Nothing is held, nobody waits: each slot can be had once. */
static void check_accounts(struct region *region, const struct bells *bells, struct board *board)
{
    struct claim claim;

    if (claim_count(claims_of(region)) != 0)
        fail(board, "claims are held by nobody", 0);
    for (uint32_t i = 0; i < 1024; i++) {
        struct claim_key key = {.hash = i, .check = i};

        if (claim_take(region, bells, 0, &key, &claim) != 0) {
            fail(board, "a slot is lost", i);
            return;
        }
    }
}

static unsigned run_processes(struct region *region, struct child *children, unsigned peers,
                              uint64_t until_ms, uint64_t quiet_ms, struct actor *dice)
{
    unsigned kills;

    for (unsigned i = 0; i < peers; i++)
        start(region, &children[i]);
    kills = kill_some(region, children, peers, until_ms - quiet_ms, dice);
    while (mono_ms() < until_ms &&
           !stopped(dice->board)) /* who dies can't be seen to wait in vain */
        (void)nanosleep(&(struct timespec){0, 10000000}, NULL);
    atomic_store_explicit(&dice->board->stop, 1, memory_order_relaxed);
    for (unsigned i = 0; i < peers; i++)
        bury(region, &children[i]);
    return kills;
}

static void run_threads(struct region *region, struct child *children, unsigned peers,
                        uint64_t until_ms, struct board *board)
{
    pthread_t thread[PEERS_MAX];
    struct timespec pause = {0, 10000000};

    for (unsigned i = 0; i < peers; i++) {
        if (peer_claim(region, 1, i, -1, &children[i].actor.row) != 0 ||
            pthread_create(&thread[i], NULL, live, &children[i].actor) != 0)
            abort();
    }
    while (mono_ms() < until_ms && !stopped(board))
        (void)nanosleep(&pause, NULL);
    atomic_store_explicit(&board->stop, 1, memory_order_relaxed);
    for (unsigned i = 0; i < peers; i++)
        (void)pthread_join(thread[i], NULL);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seconds", required_argument, NULL, 's'},
                                            {"peers", required_argument, NULL, 'p'},
                                            {"threads", no_argument, NULL, 't'},
                                            {0}};
    static struct child children[PEERS_MAX];
    static int fd[PEERS_MAX];
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct bells bells = {fd, PEERS_MAX, 1};
    struct actor dice = {.board = board, .random = mono_ns()};
    struct region *region;
    unsigned seconds = 5, peers = 4, kills = 0;
    bool threads = false;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 's')
            seconds = (unsigned)atoi(optarg);
        else if (c == 'p' && atoi(optarg) > 0 && atoi(optarg) <= (int)PEERS_MAX)
            peers = (unsigned)atoi(optarg);
        else if (c == 't')
            threads = true;
        else
            return 64;
    }
    if (board == MAP_FAILED || region_create(&(struct region_sizes){MIB, 64 * KIB}, &region) != 0)
        return 71;
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        fd[i] = eventfd(0, EFD_NONBLOCK);
        children[i].actor = (struct actor){board, region, &bells, i, 0, dice.random + i * 977};
    }
    if (threads)
        run_threads(region, children, peers, mono_ms() + seconds * 1000u, board);
    else
        kills = run_processes(region, children, peers, mono_ms() + seconds * 1000u, seconds * 300u,
                              &dice);
    check_accounts(region, &bells, board);
    (void)printf("%llu renders, %llu waits, %llu lost owners, %llu refused, %u kills\n",
                 (unsigned long long)board->renders, (unsigned long long)board->waits,
                 (unsigned long long)board->lost, (unsigned long long)board->refused, kills);
    if (board->failures > 0)
        (void)printf("first of %u: %s\n", board->failures, board->what);
    region_close(region);
    return board->failures > 0 || board->renders == 0 || board->waits == 0;
}
