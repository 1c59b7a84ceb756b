/* SPDX-License-Identifier: MIT */
/*
 * stress_faults.c - dies once, and is stopped twice, at every point of shm/fault_points.def that is the cold cache's. A fresh
 * region for each; a victim that walks into the point, a bystander and the parent that must go on
 * meanwhile; then the repair as the master does it, and all accounts. Built with the few sources of
 * shm/ that it needs and SSRD_FAULT_POINTS, whatever the rest is built with. A point that the victim
 * does not reach is a failure: so the table is what the code does. README.md.
 */
#include "tests/stress/accounts.h"
#include "tests/stress/workload.h"

#include "shm/fault.h"
#include "shm/peers.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Rows of the processes. The parent is the master. */
#define VICTIM 1u
#define BYSTANDER 2u
#define CORPSE 3u /* for whom a reaper is the victim */

#define STEPS_BEFORE 1500  /* then the ring has been round a few times */
#define STEPS_MAX 2000000  /* of a victim that does not get to its point */
#define STEPS_MEANWHILE 50 /* of the bystander, while the victim is dead or stopped */
#define STEPS_A_SWEEP 300
#define NOT_REACHED 3

enum end { KILLED, STOPPED_THEN_KILLED, STOPPED_THEN_WENT_ON, ENDS };
static const char *const end_name[ENDS] = {"killed", "stopped, then killed",
                                           "stopped, then went on"};

/* Shared by all processes. */
struct stage {
    struct board board;
    _Atomic uint64_t bystander_steps;
};

struct scene {
    struct stage *stage;
    struct region *region;
    struct actor *own;
    enum fault_point point;
    enum end end;
    uint64_t nth;
    uint64_t seed;
    pid_t victim, bystander;
};

static bool stopped(const struct stage *stage)
{
    return atomic_load_explicit(&stage->board.stop, memory_order_relaxed) != 0;
}

static void fail(struct scene *s, const char *what, uint64_t got, uint64_t want)
{
    workload_fail(&s->stage->board, what, 0, got, want);
}

/* --- who plays ---------------------------------------------------------------------------- */

/* Returns in the child only; in the parent the pid is written. */
static bool in_child(pid_t *ret_pid)
{
    *ret_pid = fork();
    if (*ret_pid < 0)
        abort();
    if (*ret_pid == 0)
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    return *ret_pid == 0;
}

static struct actor *enter(const struct scene *s, uint32_t row)
{
    struct actor *actor = workload_open(&s->stage->board, s->region, row, s->seed);

    actor->mix = &workload_writes;
    return actor;
}

/* Does all there is to do, over and over. */
static void play_writer(const struct scene *s)
{
    struct actor *actor = enter(s, VICTIM);

    fault_arm(s->point, s->nth, s->end == KILLED ? SIGKILL : SIGSTOP);
    for (uint64_t i = 0; i < STEPS_MAX && !stopped(s->stage); i++) {
        workload_step(actor);
        if (i % STEPS_A_SWEEP == 0)
            (void)cold_sweep_prefix(actor->cold, "/g3/", 4);
    }
    workload_close(actor);
    _exit(stopped(s->stage) ? 0 : NOT_REACHED);
}

/* Leaves something to repair: the segment that it stored to last, a prefix entry, a purge. */
static void play_corpse(const struct scene *s)
{
    struct actor *actor = enter(s, CORPSE);

    workload_steps(actor, STEPS_MEANWHILE);
    fault_arm(FAULT_purge_text_half, 1, SIGKILL);
    workload_steps(actor, STEPS_MAX);
    _exit(NOT_REACHED);
}

/*
 * Two writers of one new key. In an empty index key 1 has the first of the places that it shares with
 * key 0, for which the victim has chosen the second when it is stopped. Key 1 goes; the parent stores
 * key 0, later, in the first. Then the victim takes the second, looks for others and finds a newer one.
 */
static void play_rival(const struct scene *s)
{
    struct actor *actor = enter(s, VICTIM);

    actor->small_pages = true; /* a large one would evict the others */
    fault_arm(FAULT_index_chosen, 1, SIGSTOP);
    fault_arm(s->point, 1, s->end == KILLED ? SIGKILL : SIGSTOP);
    workload_put(actor, 0);
    workload_run(actor);
    workload_close(actor);
    _exit(0);
}

static void make_rival(struct scene *s)
{
    int status = 0;

    s->own->small_pages = true;
    workload_put(s->own, 1);
    if (in_child(&s->victim))
        play_rival(s);
    if (waitpid(s->victim, &status, WUNTRACED) != s->victim || !WIFSTOPPED(status))
        fail(s, "the rival did not choose", (uint64_t)status, 0);
    workload_delete(s->own, 1);
    workload_put(s->own, 0);
    (void)kill(s->victim, SIGCONT);
}

/* The master, reaping the corpse. */
static void play_reaper(const struct scene *s)
{
    struct actor *actor = enter(s, REGION_PEERS_MAX);

    fault_arm(s->point, 1, s->end == KILLED ? SIGKILL : SIGSTOP);
    (void)cold_reap(actor->cold, CORPSE);
    _exit(s->end == KILLED ? NOT_REACHED : 0);
}

static void play_bystander(const struct scene *s)
{
    struct actor *actor = enter(s, BYSTANDER);

    while (!stopped(s->stage)) {
        workload_step(actor);
        (void)atomic_fetch_add_explicit(&s->stage->bystander_steps, 1, memory_order_relaxed);
    }
    workload_close(actor);
    _exit(0);
}

/* --- the scenes --------------------------------------------------------------------------- */

static void make_corpse(struct scene *s)
{
    pid_t corpse;
    int status = 0;

    if (in_child(&corpse))
        play_corpse(s);
    (void)waitpid(corpse, &status, 0);
    if (!WIFSIGNALED(status))
        fail(s, "nothing to reap", (uint64_t)status, SIGKILL);
}

static void begin(struct scene *s)
{
    memset(s->stage, 0, sizeof *s->stage);
    if (region_create(&(struct region_sizes){MIB, WORKLOAD_PAGE_BYTES_MAX}, &s->region) != 0)
        abort();
    s->own = enter(s, REGION_PEERS_MAX);
    if (fault_by(s->point) == FAULT_BY_RIVAL)
        return make_rival(s);
    workload_steps(s->own, STEPS_BEFORE);
    if (in_child(&s->bystander))
        play_bystander(s);
    if (fault_by(s->point) == FAULT_BY_REAPER)
        make_corpse(s);
    if (in_child(&s->victim))
        (fault_by(s->point) == FAULT_BY_REAPER ? play_reaper : play_writer)(s);
}

/* The others go on, and so do we. */
static void meanwhile(struct scene *s)
{
    uint64_t until =
        atomic_load_explicit(&s->stage->bystander_steps, memory_order_relaxed) + STEPS_MEANWHILE;

    do {
        workload_steps(s->own, STEPS_MEANWHILE);
    } while (!stopped(s->stage) &&
             atomic_load_explicit(&s->stage->bystander_steps, memory_order_relaxed) < until);
}

static void reap(struct scene *s)
{
    (void)cold_reap(s->own->cold, VICTIM);
    if (fault_by(s->point) == FAULT_BY_REAPER)
        (void)cold_reap(s->own->cold, CORPSE);
}

/* The victim gets to its point, and what becomes of it there. */
static void act(struct scene *s)
{
    int status = 0;

    (void)waitpid(s->victim, &status, WUNTRACED);
    if (s->end == KILLED ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL
                         : !WIFSTOPPED(status))
        return fail(s, "the point was not reached, status", (uint64_t)status, 0);
    if (s->bystander == 0 && in_child(&s->bystander)) /* the rivals were to be alone */
        play_bystander(s);
    meanwhile(s);
    if (s->end == STOPPED_THEN_WENT_ON) {
        (void)kill(s->victim, SIGCONT);
        meanwhile(s);
        return;
    }
    if (s->end == STOPPED_THEN_KILLED) {
        (void)kill(s->victim, SIGKILL);
        (void)waitpid(s->victim, &status, 0);
    }
    reap(s);
    meanwhile(s);
}

static void end(struct scene *s, pid_t pid, const char *what)
{
    int status = 0;

    if (waitpid(pid, &status, 0) == pid && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        fail(s, what, (uint64_t)status, 0);
}

static void check(struct scene *s, unsigned twins_max)
{
    struct accounts accounts;
    char why[160] = "too many slots for a key";

    if (stopped(s->stage))
        return;
    if (!accounts_add_up(s->region, false, &accounts, why) || accounts.twins > twins_max) {
        fail(s, "the accounts", accounts.twins, twins_max);
        (void)printf("accounts: %s\n", why);
    }
}

/* False: something went wrong. */
static bool play(struct scene *s)
{
    bool failed;

    begin(s);
    act(s);
    failed = stopped(s->stage);
    atomic_store_explicit(&s->stage->board.stop, 1, memory_order_relaxed);
    if (failed)
        (void)kill(s->victim, SIGKILL);
    if (s->bystander != 0)
        end(s, s->bystander, "the bystander ended with");
    if (s->end == STOPPED_THEN_WENT_ON && !failed)
        end(s, s->victim, "the victim ended with");
    else
        (void)waitpid(s->victim, NULL, 0);
    if (s->stage->board.failures == 0)
        atomic_store_explicit(&s->stage->board.stop, 0, memory_order_relaxed);
    if (s->end != STOPPED_THEN_WENT_ON || fault_by(s->point) == FAULT_BY_REAPER)
        reap(s); /* again, in peace: what it counts is exact now */
    workload_close(s->own);
    check(s, s->end == STOPPED_THEN_WENT_ON ? 0 : 1);
    s->own = enter(s, REGION_PEERS_MAX);
    for (int i = 0; i < 2 && !stopped(s->stage); i++)
        workload_store_all(s->own);
    workload_close(s->own);
    check(s, 0);
    region_close(s->region);
    return s->stage->board.failures == 0;
}

struct options {
    unsigned rounds;
    uint64_t seed;
    const char *only;
    bool verbose;
};

static int parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"rounds", required_argument, NULL, 'r'},
        {"seed", required_argument, NULL, 's'},
        {"only", required_argument, NULL, 'o'},
        {"verbose", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (c == 'r')
            options->rounds = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 's')
            options->seed = strtoull(optarg, NULL, 10);
        else if (c == 'o')
            options->only = optarg;
        else if (c == 'v')
            options->verbose = true;
        else
            return -EINVAL;
    }
    return optind == argc ? 0 : -EINVAL;
}

/* All points and ends once. Returns how many scenes failed. */
static unsigned play_round(const struct options *options, struct stage *stage, uint64_t round,
                           unsigned *points, unsigned *scenes)
{
    unsigned failed = 0;

    for (int point = 0; point < FAULT_POINTS; point++) {
        if (fault_by(point) > FAULT_BY_RIVAL || /* another program's */
            (options->only != NULL && strcmp(options->only, fault_name(point)) != 0))
            continue;
        *points += round == 0;
        for (int end = 0; end < ENDS; end++) {
            struct scene s = {.stage = stage, .point = (enum fault_point)point, .end = end};
            uint64_t start_ns = mono_ns();

            s.seed = options->seed + round * 1000003u + (uint64_t)point * ENDS + (uint64_t)end;
            s.nth = 1 + s.seed % (7 + 2 * round); /* later rounds look deeper */
            ++*scenes;
            if (!play(&s)) {
                failed++;
                (void)printf("%s, %s, time %llu, seed %llu: %s\n", fault_name(point), end_name[end],
                             (unsigned long long)s.nth, (unsigned long long)s.seed,
                             stage->board.what);
            } else if (options->verbose) {
                (void)printf("%-24s %-22s %5llu ms\n", fault_name(point), end_name[end],
                             (unsigned long long)(mono_ns() - start_ns) / 1000000u);
            }
            (void)fflush(stdout);
        }
    }
    return failed;
}

int main(int argc, char **argv)
{
    struct options options = {.rounds = 1, .seed = 1};
    struct stage *stage;
    unsigned points = 0;
    unsigned scenes = 0;
    unsigned failed = 0;

    if (parse(argc, argv, &options) != 0) {
        (void)fprintf(stderr, "stress_faults [--rounds N] [--seed N] [--only POINT] [--verbose]\n");
        return 64;
    }
    stage = mmap(NULL, sizeof *stage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (stage == MAP_FAILED)
        return 71;
    for (uint64_t round = 0; round < options.rounds; round++)
        failed += play_round(&options, stage, round, &points, &scenes);
    (void)printf("%s points=%u scenes=%u failed=%u\n", failed == 0 && scenes > 0 ? "ok" : "FAILED",
                 points, scenes, failed);
    (void)munmap(stage, sizeof *stage);
    return failed != 0 || scenes == 0;
}
