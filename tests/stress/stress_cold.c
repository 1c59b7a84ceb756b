/* SPDX-License-Identifier: MIT */
/*
 * stress_cold.c - many processes on one small region, each at the operations of workload.h as fast as
 * it can, while the parent, itself one of them, stops some and kills others with SIGKILL at random
 * moments, reaps them and starts new ones. With --threads: the same in threads and without deaths,
 * for TSan. With --flip: bits of pages change by themselves. What it checks, how it was seen to fail
 * and how to run it for long: README.md.
 */
#include "tests/stress/accounts.h"
#include "tests/stress/workload.h"

#include "shm/fault.h"
#include "shm/peers.h"
#include "shm/region_map.h"
#include "shm/stats.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define PEERS_MAX 64u

struct options {
    unsigned seconds;
    unsigned stop_seconds; /* how long one peer is stopped, once; 0: none is for that long */
    unsigned peers;
    bool threads;
    bool flip;
    uint64_t seed;
};

struct child {
    pid_t pid;
    uint32_t row;
};

/* What was done to the peers. */
struct deaths {
    unsigned kills, stops, long_stops, repairs, flips;
};

static void start_child(struct child *child, struct board *board, struct region *region,
                        uint64_t seed)
{
    if (peer_claim(region, 1, 0, -1, &child->row) != 0)
        abort();
    child->pid = fork();
    if (child->pid < 0)
        abort();
    if (child->pid == 0) {
        struct actor *actor;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        actor = workload_open(board, region, child->row, seed);
#ifdef SSRD_FAULT_POINTS /* many die by themselves, where it matters */
        fault_arm((enum fault_point)workload_draw(actor, FAULT_POINTS),
                  1 + workload_draw(actor, 20), SIGKILL);
#endif
        workload_run(actor); /* its end is a kill, or a failure */
        _exit(0);
    }
}

/* Kill, reap and repair, as the master does. */
static void end_child(struct child *child, struct actor *own, struct region *region,
                      struct deaths *deaths)
{
    int status = 0;

    (void)kill(child->pid, SIGKILL);
    (void)waitpid(child->pid, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        workload_fail(own->board, "a peer crashed, signal", 0, (uint64_t)WTERMSIG(status), SIGKILL);
    deaths->repairs += cold_reap(own->cold, child->row);
    peer_release(region, child->row);
    deaths->kills++;
}

/* One bit of the segments, wherever it is: of a page, of its struct, of what is behind the pages. */
static void flip_bit(struct actor *own, struct region *region)
{
    uint64_t bytes = (uint64_t)region->header->segments * region->header->segment_bytes;
    uint64_t bit = workload_draw(own, bytes * 8);
    unsigned char *at = (unsigned char *)region_at(region, REGION_SEGMENTS) + bit / 8;

    (void)__atomic_fetch_xor(at, (unsigned char)(1u << bit % 8), __ATOMIC_RELAXED);
}

static bool stopped(const struct board *board)
{
    return atomic_load_explicit(&board->stop, memory_order_relaxed) != 0;
}

/* Stop a peer anywhere: the others go on, ourselves among them. */
static void stop_child(const struct child *victim, struct actor *own, struct deaths *deaths)
{
    (void)kill(victim->pid, SIGSTOP);
    workload_steps(own, 500);
    if (workload_draw(own, 2) == 0)
        (void)kill(victim->pid, SIGCONT);
    deaths->stops++;
}

static void run_processes(const struct options *options, struct actor *own, struct region *region,
                          struct deaths *deaths)
{
    struct child child[PEERS_MAX];
    uint64_t start_ms = mono_ms();
    uint64_t end_ms = start_ms + options->seconds * 1000u;
    uint64_t go_on_ms = start_ms + options->stop_seconds * 1000u;
    bool long_stop = options->stop_seconds > 0 && options->peers > 1;
    uint64_t seed = options->seed;

    for (unsigned i = 0; i < options->peers; i++)
        start_child(&child[i], own->board, region, seed++);
    if (long_stop) { /* the last one, in the middle of something */
        workload_steps(own, 100);
        (void)kill(child[options->peers - 1].pid, SIGSTOP);
    }
    while (mono_ms() < end_ms && !stopped(own->board)) {
        struct child *victim = &child[workload_draw(own, options->peers - long_stop)];

        if (long_stop && mono_ms() >= go_on_ms) {
            (void)kill(child[options->peers - 1].pid, SIGCONT);
            long_stop = false;
            deaths->long_stops++;
        }
        if (workload_draw(own, 8) == 0)
            stop_child(victim, own, deaths);
        workload_steps(own, workload_draw(own, workload_draw(own, 16) == 0 ? 1500 : 100));
        if (options->flip) {
            flip_bit(own, region);
            deaths->flips++;
        }
        end_child(victim, own, region, deaths);
        start_child(victim, own->board, region, seed++);
        if (workload_draw(own, 50) == 0)
            (void)cold_sweep_prefix(own->cold, "/g3/", 4);
    }
    for (unsigned i = 0; i < options->peers; i++)
        end_child(&child[i], own, region, deaths);
}

static void *thread_main(void *arg)
{
    workload_run(arg);
    return NULL;
}

static void run_threads(const struct options *options, struct actor *own, struct region *region)
{
    struct actor *peer[PEERS_MAX];
    pthread_t thread[PEERS_MAX];
    uint64_t end_ms = mono_ms() + options->seconds * 1000u;

    for (unsigned i = 0; i < options->peers; i++) {
        peer[i] = workload_open(own->board, region, i, options->seed);
        if (pthread_create(&thread[i], NULL, thread_main, peer[i]) != 0)
            abort();
    }
    while (mono_ms() < end_ms && !stopped(own->board))
        workload_step(own);
    atomic_store_explicit(&own->board->stop, 1, memory_order_relaxed);
    for (unsigned i = 0; i < options->peers; i++) {
        (void)pthread_join(thread[i], NULL);
        workload_close(peer[i]);
    }
}

/* After the run, all peers being dead or through: the figures add up; everything can be stored, and all
 * of the ring used, again; and then they still do. */
static void check_accounts(const struct options *options, struct board *board,
                           struct region *region, const struct deaths *deaths)
{
    struct actor *own = NULL;
    struct accounts accounts;
    char why[160] = "";

    if (!accounts_add_up(region, options->flip, &accounts, why) || accounts.twins > deaths->kills ||
        accounts.corrupt > deaths->flips)
        goto wrong;
    own = workload_open(board, region, REGION_PEERS_MAX, options->seed);
    for (int i = 0; i < 4; i++)
        workload_store_all(own);
    workload_close(own);
    if (!accounts_add_up(region, options->flip, &accounts, why) || accounts.twins > 0)
        goto wrong;
    return;
wrong:
    workload_fail(board, "the accounts", 0, accounts.twins, accounts.corrupt);
    (void)printf("accounts: %s\n", why);
}

static int parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"seconds", required_argument, NULL, 's'},
        {"peers", required_argument, NULL, 'p'},
        {"seed", required_argument, NULL, 'e'},
        {"stop-seconds", required_argument, NULL, 'o'},
        {"threads", no_argument, NULL, 't'},
        {"flip", no_argument, NULL, 'f'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (c == 's')
            options->seconds = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'p')
            options->peers = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'e')
            options->seed = strtoull(optarg, NULL, 10);
        else if (c == 'o')
            options->stop_seconds = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 't')
            options->threads = true;
        else if (c == 'f')
            options->flip = true;
        else
            return -EINVAL;
    }
    return optind == argc && options->peers >= 1 && options->peers <= PEERS_MAX ? 0 : -EINVAL;
}

static uint64_t corrupt_seen(const struct region *region)
{
    uint64_t sum = 0;

    for (uint32_t row = 0; row < REGION_PEERS_MAX; row++)
        sum += atomic_load_explicit(&stats_at(region, row)->cold_corrupt, memory_order_relaxed);
    return sum;
}

#define COUNT(name) (unsigned long long)atomic_load_explicit(&board->name, memory_order_relaxed)

/* One line: read by people and by `long`. */
static void print(const struct options *options, const struct board *board,
                  const struct region *region, const struct deaths *deaths)
{
    (void)printf("%s seed=%llu operations=%llu finds=%llu hits=%llu hot_hits=%llu puts=%llu "
                 "refused=%llu stale=%llu purges=%llu deletes=%llu kills=%u stops=%u long_stops=%u "
                 "repairs=%u flips=%u corrupt=%llu\n",
                 board->failures != 0 ? "FAILED" : "ok", (unsigned long long)options->seed,
                 COUNT(steps), COUNT(finds), COUNT(hits), COUNT(hot_hits), COUNT(puts),
                 COUNT(refused), COUNT(stale), COUNT(purges), COUNT(deletes), deaths->kills,
                 deaths->stops, deaths->long_stops, deaths->repairs, deaths->flips,
                 (unsigned long long)corrupt_seen(region));
    if (board->failures != 0)
        (void)printf("first of %u: %s\n", board->failures, board->what);
}

int main(int argc, char **argv)
{
    struct options options = {.seconds = 5, .peers = 4, .seed = mono_ns()};
    struct deaths deaths = {0};
    struct actor *own;
    struct region *region;
    struct board *board;
    bool failed;

    if (parse(argc, argv, &options) != 0) {
        (void)fprintf(stderr, "stress_cold [--seconds N] [--peers 1-64] [--seed N] [--threads] "
                              "[--flip] [--stop-seconds N]\n");
        return 64;
    }
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED ||
        region_create(&(struct region_sizes){MIB, WORKLOAD_PAGE_BYTES_MAX}, &region) != 0)
        return 71;
    own = workload_open(board, region, REGION_PEERS_MAX, options.seed);
    if (options.threads)
        run_threads(&options, own, region);
    else
        run_processes(&options, own, region, &deaths);
    workload_close(own);
    if (board->failures == 0)
        check_accounts(&options, board, region, &deaths);
    failed = board->failures != 0;
    print(&options, board, region, &deaths);
    region_close(region);
    (void)munmap(board, sizeof *board);
    return failed;
}
