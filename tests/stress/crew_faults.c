/* SPDX-License-Identifier: MIT */
/*
 * crew_faults.c - a crew of which one dies, is stopped and dies, or is stopped and goes on, at each point of
 * shm/fault_points.def that belongs to the program; or the reaper does who buries one. A fresh stage for
 * each scene. A point that nobody gets to is a failure. Nothing without fault points.
 */
#include "tests/stress/crew.h"

#include <stdio.h>

#ifdef SSRD_FAULT_POINTS
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define PEERS 4u
#define ACTS_MEANWHILE 20 /* of each other, once nobody has to be waited for */
#define ACTS_MAX 2000000  /* of a victim that does not get to its point */
#define CORPSES 20        /* that may have nothing for the reaper's point */
#define PAUSE_NS 200000   /* between two looks */
#define LOOKS 25          /* at those who may be waiting */

enum end { KILLED, STOPPED_THEN_KILLED, STOPPED_THEN_WENT_ON, ENDS };
static const char *const end_name[ENDS] = {"killed", "stopped, then killed",
                                           "stopped, then went on"};

struct scene {
    struct crew *crew;
    const struct crew_fault *fault;
    enum fault_point point;
    enum end end;
    uint64_t nth;
    uint32_t victim; /* of the crew: who gets to the point, or is buried at it */
};

/* For the children of the scene that plays. */
static const struct scene *now;

static void arm(struct crew_worker *w)
{
    (void)w;
    fault_arm(now->point, now->nth, now->end == KILLED ? SIGKILL : SIGSTOP);
}

static uint64_t acts_of(const struct scene *s, uint32_t number)
{
    return atomic_load_explicit(&s->crew->board->acts[number], memory_order_relaxed);
}

static void pause_a_moment(void)
{
    (void)nanosleep(&(struct timespec){0, PAUSE_NS}, NULL);
}

static uint64_t all_acts(const struct scene *s)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < s->crew->peers; i++)
        sum += acts_of(s, i);
    return sum;
}

/* All but `except` who have something to do get on. Whom nobody wakes notices that himself, or the test's time limit. */
static void others_get_on(const struct scene *s, uint32_t except)
{
    const struct crew_play *play = s->crew->play;

    for (uint32_t i = 0; i < s->crew->peers; i++) {
        uint64_t until = acts_of(s, i) + ACTS_MEANWHILE;

        if (i == except || (play->sleeps != NULL && play->sleeps(i)))
            continue;
        while (acts_of(s, i) < until && !crew_stopped(s->crew, 1))
            pause_a_moment();
    }
}

/* While one is stopped for whom others may wait: what the rest can do; if all wait, nothing comes. */
static void some_get_on(const struct scene *s)
{
    uint64_t all = all_acts(s) + PEERS * ACTS_MEANWHILE;

    for (int look = 0; look < LOOKS && all_acts(s) < all; look++)
        pause_a_moment();
}

/* Did it end, or stop, as the point would have it? */
static bool is_there(const struct scene *s, pid_t pid)
{
    int status = 0;

    if (waitpid(pid, &status, WUNTRACED) != pid)
        abort();
    return s->end == KILLED ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                            : WIFSTOPPED(status);
}

static void replace(struct scene *s, bool is_buried)
{
    struct crew_worker *w = &s->crew->worker[s->victim];

    if (!is_buried)
        s->crew->play->bury(w);
    crew_start(w, NULL);
    others_get_on(s, CREW_MAX);
}

/* --- one of the crew ---------------------------------------------------------------------- */

static void play_worker(struct scene *s)
{
    struct crew_worker *w = &s->crew->worker[s->victim];
    bool waits = s->crew->play->waits;

    w->acts_left = ACTS_MAX;
    crew_start(w, arm);
    w->acts_left = 0;
    if (!is_there(s, w->pid)) {
        crew_fail(s->crew, "the point was not reached, time", s->nth);
        (void)kill(w->pid, SIGKILL);
        return replace(s, false);
    }
    if (waits)
        some_get_on(s);
    else
        others_get_on(s, s->victim);
    if (s->end == STOPPED_THEN_WENT_ON) {
        (void)kill(w->pid, SIGCONT);
        return others_get_on(s, CREW_MAX);
    }
    if (s->end == STOPPED_THEN_KILLED) {
        (void)kill(w->pid, SIGKILL);
        (void)waitpid(w->pid, NULL, 0);
    }
    replace(s, false);
}

/* --- the reaper --------------------------------------------------------------------------- */

static pid_t start_reaper(struct scene *s)
{
    pid_t pid = fork();

    if (pid < 0)
        abort();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        fault_arm(s->point, s->nth, s->end == KILLED ? SIGKILL : SIGSTOP);
        s->crew->play->bury(&s->crew->worker[s->victim]);
        _exit(0);
    }
    return pid;
}

/* Another who dies wherever he is, until one has left what the reaper's point is about. */
static bool find_corpse(struct scene *s, pid_t *ret_reaper)
{
    struct crew_worker *w = &s->crew->worker[s->victim];

    for (int i = 0; i < CORPSES && !crew_stopped(s->crew, 1); i++) {
        others_get_on(s, CREW_MAX);
        (void)kill(w->pid, SIGKILL);
        (void)waitpid(w->pid, NULL, 0);
        *ret_reaper = start_reaper(s);
        if (is_there(s, *ret_reaper))
            return true;
        s->nth = 1;
        s->victim = (s->victim + 1) % s->crew->peers;
        crew_start(w, NULL);
        w = &s->crew->worker[s->victim];
    }
    return false;
}

static void play_reaper(struct scene *s)
{
    pid_t reaper = 0;

    crew_start(&s->crew->worker[s->victim], NULL);
    if (!find_corpse(s, &reaper))
        return crew_fail(s->crew, "the reaper did not get to the point", s->nth);
    if (s->crew->play->waits)
        some_get_on(s);
    else
        others_get_on(s, s->victim);
    if (s->end == STOPPED_THEN_WENT_ON)
        (void)kill(reaper, SIGCONT);
    if (s->end == STOPPED_THEN_KILLED)
        (void)kill(reaper, SIGKILL);
    if (s->end != KILLED)
        (void)waitpid(reaper, NULL, 0);
    replace(s, s->end == STOPPED_THEN_WENT_ON);
}

/* --- the scenes --------------------------------------------------------------------------- */

static bool play_scene(struct scene *s, const struct crew_play *play, uint64_t seed)
{
    struct crew *crew = crew_new(play, PEERS, seed);
    bool fine;

    s->crew = crew;
    s->victim = s->fault->number < CREW_MAX ? s->fault->number : (uint32_t)(seed % PEERS);
    now = s;
    for (uint32_t i = 0; i < PEERS; i++)
        if (i != s->victim)
            crew_start(&crew->worker[i], NULL);
    if (s->fault->number < CREW_MAX)
        play_worker(s);
    else
        play_reaper(s);
    crew_end(crew);
    if (crew->board->failures == 0)
        play->check(crew);
    fine = crew->board->failures == 0;
    if (!fine)
        (void)printf("%s, %s, time %llu, seed %llu: %s\n", fault_name(s->point), end_name[s->end],
                     (unsigned long long)s->nth, (unsigned long long)seed, crew->board->what);
    crew_free(crew);
    return fine;
}

static const struct crew_fault *fault_of(const struct crew_play *play, enum fault_point point)
{
    const struct crew_fault *fault = play->faults;

    while (fault->by != fault_by(point) && fault->number != CREW_REAPER)
        fault++;
    return fault->by == fault_by(point) ? fault : NULL;
}

static bool play_by_hand(const struct crew_play *play)
{
    struct crew *crew = crew_new(play, 0, 1);
    bool fine;

    play->by_hand(crew);
    if (crew->board->failures == 0)
        play->check(crew);
    fine = crew->board->failures == 0;
    if (!fine)
        (void)printf("by hand: %s\n", crew->board->what);
    crew_free(crew);
    return fine;
}

unsigned crew_faults(const struct crew_play *play, unsigned rounds, uint64_t seed, const char *only)
{
    unsigned points = 0;
    unsigned scenes = 0;
    unsigned failed = 0;

    if (play->by_hand != NULL && only == NULL)
        failed += !play_by_hand(play);

    for (int point = 0; point < FAULT_POINTS; point++) {
        const struct crew_fault *fault = fault_of(play, (enum fault_point)point);

        if (fault == NULL || (only != NULL && strcmp(only, fault_name(point)) != 0))
            continue;
        points++;
        for (unsigned i = 0; i < rounds * ENDS; i++) {
            struct scene s = {
                .fault = fault, .point = (enum fault_point)point, .end = (enum end)(i % ENDS)};

            s.nth = 1 + seed % (3 + 2 * (i / ENDS)); /* later rounds look deeper */
            failed += !play_scene(&s, play, seed++);
            scenes++;
            (void)fflush(stdout);
        }
    }
    (void)printf("%s points=%u scenes=%u failed=%u\n", failed == 0 && scenes > 0 ? "ok" : "FAILED",
                 points, scenes, failed);
    return scenes > 0 ? failed : 1;
}
#else
unsigned crew_faults(const struct crew_play *play, unsigned rounds, uint64_t seed, const char *only)
{
    (void)play, (void)rounds, (void)seed, (void)only;
    (void)fprintf(stderr, "built without fault points\n");
    return 1;
}
#endif
