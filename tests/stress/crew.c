/* SPDX-License-Identifier: MIT */
/* crew.c - see crew.h. */
#include "tests/stress/crew.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define PHASES 2u
#define QUIET_MS_A_SECOND                                                                          \
    300u /* at the end nobody is killed: who dies can't be seen to wait in vain */

void crew_fail(struct crew *crew, const char *what, uint64_t number)
{
    struct crew_board *board = crew->board;

    if (atomic_fetch_add_explicit(&board->failures, 1, memory_order_relaxed) == 0)
        (void)snprintf(board->what, sizeof board->what, "%s: %llu", what,
                       (unsigned long long)number);
    atomic_store_explicit(&board->stop, PHASES, memory_order_relaxed);
}

bool crew_stopped(const struct crew *crew, uint32_t phase)
{
    return atomic_load_explicit(&crew->board->stop, memory_order_relaxed) >= phase;
}

static void end_phase(struct crew *crew, uint32_t phase)
{
    if (!crew_stopped(crew, phase))
        atomic_store_explicit(&crew->board->stop, phase, memory_order_relaxed);
}

uint64_t crew_draw(struct crew_worker *w, uint64_t below)
{
    uint64_t x = w->random += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (x ^ x >> 31) % below;
}

static uint32_t phase_of(const struct crew_worker *w)
{
    const struct crew_play *play = w->crew->play;

    return play->phase != NULL ? play->phase(w->number) : 1;
}

static void live(struct crew_worker *w)
{
    const struct crew_play *play = w->crew->play;

    while (!crew_stopped(w->crew, phase_of(w))) {
        play->act(w);
        crew_count(&w->crew->board->acts[w->number]);
        if (w->acts_left > 0 && --w->acts_left == 0)
            return;
    }
    if (play->leave != NULL)
        play->leave(w);
}

void crew_start(struct crew_worker *w, void (*before)(struct crew_worker *w))
{
    if (w->crew->play->enter != NULL)
        w->crew->play->enter(w);
    w->random += 0x632be59bd9b4e019u; /* another life */
    w->pid = fork();
    if (w->pid < 0)
        abort();
    if (w->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (before != NULL)
            before(w);
        live(w);
        _exit(0);
    }
}

void crew_bury(struct crew_worker *w)
{
    int status = 0;

    if (waitpid(w->pid, &status, 0) != w->pid)
        abort();
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        crew_fail(w->crew, "one crashed, signal", (uint64_t)WTERMSIG(status));
    w->crew->play->bury(w);
}

struct crew *crew_new(const struct crew_play *play, unsigned peers, uint64_t seed)
{
    struct crew *crew = calloc(1, sizeof *crew);
    void *board = mmap(NULL, play->board_bytes, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (crew == NULL || board == MAP_FAILED)
        abort();
    crew->play = play;
    crew->board = board;
    crew->peers = peers;
    for (uint32_t i = 0; i < CREW_MAX; i++)
        crew->worker[i] = (struct crew_worker){.crew = crew, .number = i, .random = seed + i * 977};
    crew->dice = (struct crew_worker){.crew = crew, .number = CREW_MAX, .random = seed ^ 0x5eed};
    if (play->open(crew) != 0)
        abort();
    return crew;
}

void crew_free(struct crew *crew)
{
    if (crew->play->close != NULL)
        crew->play->close(crew);
    (void)munmap(crew->board, crew->play->board_bytes);
    free(crew);
}

void crew_end(struct crew *crew)
{
    for (uint32_t phase = 1; phase <= PHASES; phase++) {
        end_phase(crew, phase);
        for (unsigned i = 0; i < crew->peers; i++)
            if (phase_of(&crew->worker[i]) == phase)
                crew_bury(&crew->worker[i]);
    }
}

/* --- processes and threads ---------------------------------------------------------------- */

static void kill_some(struct crew *crew, uint64_t until_ms, uint64_t late_ms)
{
    const struct crew_play *play = crew->play;

    while (mono_ms() < until_ms && !crew_stopped(crew, 1)) {
        struct timespec pause = {0, (long)crew_draw(&crew->dice, 3000000)};
        uint32_t number = play->victim != NULL ? play->victim(crew, mono_ms() > late_ms)
                                               : (uint32_t)crew_draw(&crew->dice, crew->peers);
        struct crew_worker *w = &crew->worker[number];

        (void)nanosleep(&pause, NULL);
        (void)kill(w->pid, SIGKILL);
        crew_bury(w);
        crew_start(w, NULL);
        crew->kills++;
    }
}

static void wait_until(struct crew *crew, uint64_t until_ms)
{
    while (mono_ms() < until_ms && !crew_stopped(crew, 1))
        (void)nanosleep(&(struct timespec){0, 10000000}, NULL);
}

static void run_processes(struct crew *crew, uint64_t until_ms)
{
    uint64_t quiet_ms = crew->seconds * QUIET_MS_A_SECOND;

    for (unsigned i = 0; i < crew->peers; i++)
        crew_start(&crew->worker[i], NULL);
    kill_some(crew, until_ms - quiet_ms, until_ms - 2 * quiet_ms);
    wait_until(crew, until_ms);
    crew_end(crew);
}

static void *thread_main(void *arg)
{
    live(arg);
    return NULL;
}

static void run_threads(struct crew *crew, uint64_t until_ms)
{
    pthread_t thread[CREW_MAX];

    for (unsigned i = 0; i < crew->peers; i++) {
        if (crew->play->enter != NULL)
            crew->play->enter(&crew->worker[i]);
        if (pthread_create(&thread[i], NULL, thread_main, &crew->worker[i]) != 0)
            abort();
    }
    wait_until(crew, until_ms);
    for (uint32_t phase = 1; phase <= PHASES; phase++) {
        end_phase(crew, phase);
        for (unsigned i = 0; i < crew->peers; i++)
            if (phase_of(&crew->worker[i]) == phase)
                (void)pthread_join(thread[i], NULL);
    }
}

struct options {
    unsigned seconds, peers, rounds;
    uint64_t seed;
    const char *only;
    bool threads;
    bool faults;
};

static int parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"seconds", required_argument, NULL, 's'}, {"peers", required_argument, NULL, 'p'},
        {"seed", required_argument, NULL, 'e'},    {"threads", no_argument, NULL, 't'},
        {"faults", no_argument, NULL, 'f'},        {"rounds", required_argument, NULL, 'r'},
        {"only", required_argument, NULL, 'o'},    {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (c == 's')
            options->seconds = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'p')
            options->peers = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'e')
            options->seed = strtoull(optarg, NULL, 10);
        else if (c == 'r')
            options->rounds = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'o')
            options->only = optarg;
        else if (c == 't')
            options->threads = true;
        else if (c == 'f')
            options->faults = true;
        else
            return -EINVAL;
    }
    return optind == argc && options->peers <= CREW_MAX ? 0 : -EINVAL;
}

static int run(const struct crew_play *play, const struct options *options)
{
    struct crew *crew = crew_new(play, options->peers, options->seed);
    uint64_t until_ms = mono_ms() + options->seconds * 1000u;
    bool failed;

    crew->threads = options->threads;
    crew->seconds = options->seconds;
    (options->threads ? run_threads : run_processes)(crew, until_ms);
    if (crew->board->failures == 0)
        play->check(crew);
    failed = !play->print(crew);
    (void)printf(", %u kills, seed %llu\n", crew->kills, (unsigned long long)options->seed);
    if (crew->board->failures > 0)
        (void)printf("first of %u: %s\n", crew->board->failures, crew->board->what);
    failed |= crew->board->failures > 0;
    crew_free(crew);
    return failed;
}

int crew_main(int argc, char **argv, const struct crew_play *play)
{
    struct options options = {.peers = 4, .seconds = 5, .rounds = 1, .seed = mono_ns()};

    if (parse(argc, argv, &options) != 0 || options.peers < play->peers_min ||
        (options.faults && play->faults == NULL)) {
        (void)fprintf(stderr,
                      "[--seconds N] [--peers %u-%u] [--seed N] [--threads]\n"
                      "--faults [--rounds N] [--seed N] [--only POINT]\n",
                      play->peers_min, CREW_MAX);
        return 64;
    }
    return options.faults ? crew_faults(play, options.rounds, options.seed, options.only) > 0
                          : run(play, &options);
}
