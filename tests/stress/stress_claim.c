/* SPDX-License-Identifier: MIT */
/*
 * stress_claim.c - a crew that claims a few keys, "renders" for some microseconds, releases, or waits for one
 * another by their bells. In threads ThreadSanitizer sees the page of a key as plain memory that claims
 * alone order. What it checks: README.md.
 */
#include "shm/bell.h"
#include "shm/claim.h"
#include "shm/peers.h"
#include "shm/region.h"
#include "tests/stress/crew.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define KEYS 12u
#define BUCKETS_OF_KEYS 3u /* four keys in each, one more than a bucket has places */
#define VAIN_MS 10000      /* a bell that has not rung by then never does */

struct board {
    struct crew_board crew;
    uint64_t page[KEYS]; /* plain: only a claim's owner touches it */
    uint64_t twin[KEYS];
    _Atomic uint32_t holder[KEYS]; /* row + 1 of who thinks that it owns the key */
    _Atomic uint64_t renders, waits, refused, lost;
};

struct stage {
    struct region *region;
    struct bells bells;
    int fd[CREW_MAX];
};

static struct board *board_of(const struct crew_worker *w)
{
    return (struct board *)w->crew->board;
}

static struct stage *stage_of(const struct crew_worker *w)
{
    return w->crew->stage;
}

static struct claim_key key_of(uint32_t key)
{
    return (struct claim_key){.hash = (uint64_t)key << 32 | key % BUCKETS_OF_KEYS,
                              .check = key * UINT64_C(0x9e3779b97f4a7c15),
                              .edition = 1,
                              .epoch = 1};
}

/* The claim is ours: nobody else may think so, and what the last owner did must be seen. */
static void render(struct crew_worker *w, uint32_t key)
{
    struct board *board = board_of(w);
    uint32_t nobody = 0;
    uint64_t value;

    if (!atomic_compare_exchange_strong_explicit(&board->holder[key], &nobody, w->row + 1,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        crew_fail(w->crew, "two owners, key", key);
        return;
    }
    value = board->page[key];
    if (board->twin[key] != value)
        crew_fail(w->crew, "the last owner's page is not seen, key", key);
    board->page[key] = value + 1;
    for (uint64_t i = crew_draw(w, 200); i > 0; i--)
        atomic_signal_fence(memory_order_relaxed);
    if (crew_draw(w, 16) == 0)
        (void)sched_yield();
    board->twin[key] = value + 1;
    crew_count(&board->renders);
    atomic_store_explicit(&board->holder[key], 0, memory_order_relaxed);
}

static void wait_for(struct crew_worker *w, uint32_t key, struct claim claim)
{
    struct board *board = board_of(w);
    struct claims *claims = claims_of(stage_of(w)->region);
    struct pollfd bell = {.fd = stage_of(w)->fd[w->number], .events = POLLIN};

    crew_count(&board->waits);
    /* sleeps first: claim_wait() has looked, and the bell may stand for another's claim */
    if (claim_wait(claims, w->row, claim))
        do {
            if (poll(&bell, 1, VAIN_MS) == 0) {
                crew_fail(w->crew, "waited in vain, key", key);
                break;
            }
            bell_hush(bell.fd);
        } while (claim_look(claims, claim) == CLAIM_OPEN);
    switch (claim_look(claims, claim)) {
    case CLAIM_LOST:
        crew_count(&board->lost);
        break;
    case CLAIM_STORED:
        break;
    default:
        crew_fail(w->crew, "an outcome that nobody gave, key", key);
    }
    claim_leave(claims, w->row, claim);
}

static void act(struct crew_worker *w)
{
    const struct stage *stage = stage_of(w);
    uint32_t key = (uint32_t)crew_draw(w, KEYS);
    struct claim_key claim_key = key_of(key);
    struct claim claim;

    switch (claim_take(stage->region, &stage->bells, w->row, &claim_key, &claim)) {
    case 0:
        render(w, key);
        claim_release(stage->region, &stage->bells, claim, CLAIM_STORED);
        break;
    case -EBUSY:
        wait_for(w, key, claim);
        break;
    default:
        crew_count(&board_of(w)->refused);
    }
}

/* ---- the parent ---- */

static int open_stage(struct crew *crew)
{
    struct stage *stage = calloc(1, sizeof *stage);

    if (stage == NULL)
        return -ENOMEM;
    crew->stage = stage;
    for (unsigned i = 0; i < CREW_MAX; i++)
        stage->fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    stage->bells = (struct bells){stage->fd, CREW_MAX, 1};
    return region_create(&(struct region_sizes){MIB, 64 * KIB}, &stage->region);
}

static void close_stage(struct crew *crew)
{
    struct stage *stage = crew->stage;

    for (unsigned i = 0; i < CREW_MAX; i++)
        (void)close(stage->fd[i]);
    region_close(stage->region);
    free(stage);
}

static void enter(struct crew_worker *w)
{
    if (peer_claim(stage_of(w)->region, 1, w->number, -1, &w->row) != 0)
        abort();
}

static void bury(struct crew_worker *w)
{
    struct board *board = board_of(w);
    const struct stage *stage = stage_of(w);

    for (uint32_t key = 0; key < KEYS; key++)
        if (atomic_load_explicit(&board->holder[key], memory_order_relaxed) == w->row + 1) {
            board->twin[key] = board->page[key];
            atomic_store_explicit(&board->holder[key], 0, memory_order_relaxed);
        }
    (void)claim_reap(stage->region, &stage->bells, w->row);
    peer_release(stage->region, w->row);
}

/* Nothing is held, nobody waits: each slot can be had once. */
static void check(struct crew *crew)
{
    const struct stage *stage = crew->stage;
    struct claim claim;

    if (claim_count(claims_of(stage->region)) != 0)
        crew_fail(crew, "claims are held by nobody", claim_count(claims_of(stage->region)));
    for (uint32_t i = 0; i < 1024; i++) {
        struct claim_key key = {.hash = i, .check = i};

        if (claim_take(stage->region, &stage->bells, 0, &key, &claim) != 0) {
            crew_fail(crew, "a slot is lost", i);
            return;
        }
    }
}

#ifdef SSRD_FAULT_POINTS
static struct claim claim_by(struct crew_worker *w, uint32_t key_number, int wanted)
{
    const struct stage *stage = stage_of(w);
    struct claim_key key = key_of(key_number);
    struct claim claim = {0};
    int got = claim_take(stage->region, &stage->bells, w->row, &key, &claim);

    if (got != wanted)
        crew_fail(w->crew, "a claim that should have come to something else", w->number);
    return claim;
}

/* Who died has rendered a key and released it. While the reaper looks at that slot another takes it, and keeps it. */
static void take_what_is_reaped(struct crew *crew)
{
    const struct stage *stage = crew->stage;
    struct crew_worker *dead = &crew->worker[0];
    struct claim claim;
    pid_t reaper;

    enter(dead);
    claim_release(stage->region, &stage->bells, claim_by(dead, 0, 0), CLAIM_STORED);
    reaper = fork();
    if (reaper == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        fault_arm(FAULT_claim_reaping, 1, SIGSTOP);
        bury(dead);
        _exit(0);
    }
    (void)waitpid(reaper, NULL, WUNTRACED);
    claim = claim_by(&crew->worker[1], 0, 0);
    (void)kill(reaper, SIGCONT);
    (void)waitpid(reaper, NULL, 0);
    if (claim_look(claims_of(stage->region), claim) != CLAIM_OPEN)
        crew_fail(crew, "the reaper has ended the claim of another", claim.slot);
    (void)claim_by(&crew->worker[2], 0, -EBUSY);
    claim_release(stage->region, &stage->bells, claim, CLAIM_STORED);
}

/* Two claim one key. One is stopped before its bucket names its slot, the other is faster; then the first gives its slot back,
 * and is killed, or stopped, while it does. */
static void lose_the_race(struct crew *crew, uint32_t key, int end)
{
    const struct stage *stage = crew->stage;
    struct crew_worker *slow = &crew->worker[0];
    struct claim claim;
    int status = 0;

    enter(slow);
    slow->pid = fork();
    if (slow->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        fault_arm(FAULT_claim_held, 1, SIGSTOP);
        fault_arm(FAULT_claim_giving_back, 1, end);
        (void)claim_by(slow, key, -EBUSY);
        _exit(0);
    }
    (void)waitpid(slow->pid, NULL, WUNTRACED);
    claim = claim_by(&crew->worker[1], key, 0);
    (void)kill(slow->pid, SIGCONT);
    (void)waitpid(slow->pid, &status, WUNTRACED);
    if (end == SIGKILL ? !WIFSIGNALED(status) : !WIFSTOPPED(status))
        crew_fail(crew, "the slower one did not give back, status", (uint64_t)status);
    (void)claim_by(&crew->worker[2], key, -EBUSY);
    if (end == SIGSTOP) {
        (void)kill(slow->pid, SIGCONT);
        (void)waitpid(slow->pid, NULL, 0);
    }
    bury(slow);
    if (claim_look(claims_of(stage->region), claim) != CLAIM_OPEN)
        crew_fail(crew, "the faster one's claim has ended", claim.slot);
    claim_release(stage->region, &stage->bells, claim, CLAIM_STORED);
}

static void play_by_hand(struct crew *crew)
{
    enter(&crew->worker[1]);
    enter(&crew->worker[2]);
    take_what_is_reaped(crew);
    lose_the_race(crew, 1,
                  SIGKILL); /* a key of its own: an old number would show the slower one's slot */
    lose_the_race(crew, 2, SIGSTOP);
}
#else
#define play_by_hand NULL
#endif

static bool print(const struct crew *crew)
{
    const struct board *board = (const struct board *)crew->board;

    (void)printf("%llu renders, %llu waits, %llu lost owners, %llu refused",
                 (unsigned long long)board->renders, (unsigned long long)board->waits,
                 (unsigned long long)board->lost, (unsigned long long)board->refused);
    return board->renders > 0 && board->waits > 0;
}

int main(int argc, char **argv)
{
    static const struct crew_fault faults[] = {{FAULT_BY_CLAIMER, 0},
                                               {FAULT_BY_CLAIM_REAPER, CREW_REAPER}};
    static const struct crew_play play = {
        .board_bytes = sizeof(struct board),
        .peers_min = 1,
        .open = open_stage,
        .enter = enter,
        .act = act,
        .bury = bury,
        .check = check,
        .print = print,
        .close = close_stage,
        .faults = faults,
        .by_hand = play_by_hand,
        .waits = true,
    };

    return crew_main(argc, argv, &play);
}
