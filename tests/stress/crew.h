/* SPDX-License-Identifier: MIT */
/*
 * crew.h - the frame of the stress programs that try one file of shm/ alone: a crew of processes that do
 * one thing as fast as they can, while the parent kills some with SIGKILL wherever they are, buries them as the
 * master does and starts new ones. With --threads the same in threads, without deaths, for ThreadSanitizer.
 * A program is a struct crew_play and a main() of one line. The board is shared by all processes.
 */
#ifndef SSRD_TESTS_STRESS_CREW_H
#define SSRD_TESTS_STRESS_CREW_H

#include "shm/base.h"
#include "shm/fault.h"

#include <stdatomic.h>

#define CREW_MAX 64u
#define CREW_REAPER CREW_MAX /* in a struct crew_fault: not one of the crew, but who buries it */

/* How a program's own board begins. */
struct crew_board {
    _Atomic uint32_t stop; /* the last phase that is over; 0: none */
    _Atomic uint32_t failures;
    char what[160]; /* of the first failure */
    _Atomic uint64_t acts[CREW_MAX];
};

struct crew;

/* One of the crew; its own, but for what the parent does between two lives of it. */
struct crew_worker {
    struct crew *crew;
    uint32_t number;
    uint32_t row; /* for the program's use */
    pid_t pid;
    uint64_t random;
    uint64_t acts_left; /* 0: as many as there is time for */
};

/* Points of shm/fault_points.def, and which of the crew gets to them. */
struct crew_fault {
    enum fault_by by;
    uint32_t number;
};

struct crew_play {
    size_t board_bytes; /* of a struct that begins with struct crew_board */
    unsigned peers_min;
    /* Parent, once: makes what is shared and sets crew->stage. 0 / -errno. */
    int (*open)(struct crew *crew);
    void (*enter)(struct crew_worker *w); /* parent, before the worker lives; may be NULL */
    void (*act)(struct crew_worker *w);   /* the worker, over and over, until its phase is over */
    void (*leave)(struct crew_worker
                      *w); /* the worker, at the end of a life that nobody cut short; may be NULL */
    void (*bury)(struct crew_worker *w); /* parent, after waitpid(): what the master does */
    /* Parent: who dies next, `late`: shortly before nobody is killed any more. NULL: anybody. */
    uint32_t (*victim)(struct crew *crew, bool late);
    /* In which phase a worker ends, 1 or 2; NULL: all in 1. */
    uint32_t (*phase)(uint32_t number);
    void (*check)(struct crew *crew); /* parent: nobody lives any more */
    /* Parent: one line of figures, no line end. False: nothing worth a test has happened. */
    bool (*print)(const struct crew *crew);
    void (*close)(struct crew *crew); /* may be NULL */
    const struct crew_fault *faults;  /* for --faults; the last one's number is CREW_REAPER */
    void (*by_hand)(
        struct crew *
            crew); /* with --faults, in a crew of nobody: a scene that chance seldom makes; or NULL */
    bool (*sleeps)(uint32_t number); /* it may have nothing to do for long; NULL: nobody */
    bool waits; /* for one another, so for one that is stopped too, until it goes on or is buried */
};

struct crew {
    const struct crew_play *play;
    struct crew_board *board;
    void *stage; /* the program's own */
    struct crew_worker worker[CREW_MAX];
    struct crew_worker dice; /* the parent's */
    unsigned peers;
    unsigned seconds;
    unsigned kills;
    bool threads;
};

static inline void crew_count(_Atomic uint64_t *counter)
{
    (void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* The first failure is kept for people; all end. */
void crew_fail(struct crew *crew, const char *what, uint64_t number);
bool crew_stopped(const struct crew *crew, uint32_t phase);
uint64_t crew_draw(struct crew_worker *w, uint64_t below);

/* For scenes: the parts of a run by themselves. Abort where there is no memory: a test's own trouble. */
struct crew *crew_new(const struct crew_play *play, unsigned peers, uint64_t seed);
void crew_free(struct crew *crew);
/* before: called in the child before it acts, may be NULL. */
void crew_start(struct crew_worker *w, void (*before)(struct crew_worker *w));
void crew_bury(struct crew_worker *w); /* waits for it */
void crew_end(struct crew *crew);      /* all end, by phases, and are buried */

/*
 * With fault points, every point of play->faults: one dies there, or is stopped there and dies, or goes on; the others must get on.
 * Returns how many scenes failed, and prints each. only: a point's name, or NULL.
 */
unsigned crew_faults(const struct crew_play *play, unsigned rounds, uint64_t seed,
                     const char *only);

/* [--seconds N] [--peers N] [--seed N] [--threads], or with fault points --faults [--rounds N] [--seed N] [--only POINT].
 * Returns the exit code. */
int crew_main(int argc, char **argv, const struct crew_play *play);

#endif
