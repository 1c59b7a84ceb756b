/* SPDX-License-Identifier: MIT */
/*
 * stress_offer.c - a crew of which those with even numbers offer renders, and the others take them, sleep by their
 * bells and do nothing else. What it checks: README.md.
 */
#include "shm/bell.h"
#include "shm/offer.h"
#include "tests/stress/crew.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>

#define WORDS 24u    /* of a request and of a result */
#define VAIN_MS 8000 /* a bell that has not rung by then never does */

/* Phases: who waits must find somebody who takes. */
enum { OWNERS = 1, ALL };

struct board {
    struct crew_board crew;
    _Atomic uint64_t done, withdrawn, lost, dropped, jobs;
};

struct stage {
    struct offers *offers;
    struct bells bells;
    int fd[CREW_MAX];
};

static struct board *board_of(const struct crew_worker *w)
{
    return (struct board *)w->crew->board;
}

static struct offers *offers_of(const struct crew_worker *w)
{
    return ((struct stage *)w->crew->stage)->offers;
}

static const struct bells *bells_of(const struct crew_worker *w)
{
    return &((struct stage *)w->crew->stage)->bells;
}

static bool takes(uint32_t number)
{
    return number % 2 != 0;
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
static bool sleep_by_bell(struct crew_worker *w, const char *what, uint64_t job, bool forever)
{
    struct pollfd bell = {.fd = bells_of(w)->fd[w->number], .events = POLLIN};

    for (int i = 0; poll(&bell, 1, forever ? 100 : VAIN_MS / 10) == 0; i++) {
        if (crew_stopped(w->crew, ALL))
            return false;
        if (!forever && i == 9) {
            crew_fail(w->crew, what, job);
            return false;
        }
    }
    bell_hush(bell.fd);
    return true;
}

/* ---- who offers ---- */

static void check_result(struct crew_worker *w, struct offer offer, uint64_t job)
{
    size_t bytes;
    const uint64_t *at = offer_result(offers_of(w), offer, &bytes);

    if (bytes != WORDS * 8 || !are_words(at, job, 1))
        crew_fail(w->crew, "a torn or foreign result, job", job);
    crew_count(&board_of(w)->done);
    offer_drop(offers_of(w), offer);
}

static void own(struct crew_worker *w)
{
    uint64_t job = atomic_fetch_add_explicit(&board_of(w)->jobs, 1, memory_order_relaxed);
    uint64_t mood = crew_draw(w, 16);
    struct offer offer;
    void *at;

    if (offer_begin(offers_of(w), w->number, &offer, &at) != 0) {
        crew_fail(w->crew, "no slot is free, job", job);
        return;
    }
    write_words(at, job, 0);
    offer_publish(offers_of(w), bells_of(w), offer, WORDS * 8, job);
    if (mood == 0 && offer_withdraw(offers_of(w), offer)) {
        crew_count(&board_of(w)->withdrawn);
        return;
    }
    if (mood == 1) { /* mostly when somebody is at it */
        for (int i = 0; i < 1000 && offer_look(offers_of(w), offer) == OFFER_OPEN; i++)
            (void)sched_yield();
        crew_count(&board_of(w)->dropped);
        offer_drop(offers_of(w), offer);
        return;
    }
    for (;;) {
        switch (offer_look(offers_of(w), offer)) {
        case OFFER_DONE:
            check_result(w, offer, job);
            return;
        case OFFER_LOST:
            crew_count(&board_of(w)->lost);
            offer_drop(offers_of(w), offer);
            return;
        default:
            if (!sleep_by_bell(w, "waited in vain, job", job, false)) {
                offer_drop(offers_of(w), offer);
                return;
            }
        }
    }
}

/* ---- who takes ---- */

static void help(struct crew_worker *w)
{
    struct offer offer;
    const void *at;
    size_t bytes;
    uint64_t job;

    while (offer_take(offers_of(w), w->number, &offer, &at, &bytes, &job) == 0) {
        offers_busy(offers_of(w), w->number);
        if (bytes != WORDS * 8 || !are_words(at, job, 0))
            crew_fail(w->crew, "a torn or foreign request, job", job);
        for (uint64_t i = crew_draw(w, 100); i > 0; i--)
            atomic_signal_fence(memory_order_relaxed);
        if (crew_draw(w, 8) == 0)
            (void)sched_yield(); /* long enough for its owner to drop it */
        write_words(offer_room(offers_of(w), offer), job, 1);
        if (!are_words(at, job, 0)) /* dropped or not, the slot is ours until we are done */
            crew_fail(w->crew, "a request changed under its taker, job", job);
        offer_finish(offers_of(w), bells_of(w), offer, crew_draw(w, 32) == 0 ? 0 : WORDS * 8);
    }
    if (!offers_idle(offers_of(w), w->number))
        (void)sleep_by_bell(w, "", 0, true);
}

static void act(struct crew_worker *w)
{
    (takes(w->number) ? help : own)(w);
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
    return offers_new(&stage->offers);
}

static void close_stage(struct crew *crew)
{
    struct stage *stage = crew->stage;

    for (unsigned i = 0; i < CREW_MAX; i++)
        (void)close(stage->fd[i]);
    offers_free(stage->offers);
    free(stage);
}

static void bury(struct crew_worker *w)
{
    (void)offers_reap(offers_of(w), bells_of(w), w->number);
}

/* At last takers only: their owners must notice. */
static uint32_t victim(struct crew *crew, bool late)
{
    uint32_t i = (uint32_t)crew_draw(&crew->dice, crew->peers);

    if (!late)
        return i;
    return i + 1 < crew->peers ? i | 1 : 1;
}

static uint32_t phase(uint32_t number)
{
    return takes(number) ? ALL : OWNERS;
}

static void check(struct crew *crew)
{
    const struct stage *stage = crew->stage;

    if (!crew->threads && offers_count(stage->offers) != 0)
        crew_fail(crew, "slots are held by nobody", offers_count(stage->offers));
}

static bool print(const struct crew *crew)
{
    const struct board *board = (const struct board *)crew->board;

    (void)printf("%llu done, %llu withdrawn, %llu dropped, %llu lost",
                 (unsigned long long)board->done, (unsigned long long)board->withdrawn,
                 (unsigned long long)board->dropped, (unsigned long long)board->lost);
    return board->done > 0;
}

int main(int argc, char **argv)
{
    static const struct crew_fault faults[] = {
        {FAULT_BY_OFFERER, 0}, {FAULT_BY_TAKER, 1}, {FAULT_BY_OFFER_REAPER, CREW_REAPER}};
    static const struct crew_play play = {
        .board_bytes = sizeof(struct board),
        .peers_min = 2,
        .open = open_stage,
        .act = act,
        .bury = bury,
        .victim = victim,
        .phase = phase,
        .check = check,
        .print = print,
        .close = close_stage,
        .faults = faults,
        .sleeps = takes,
        .waits = true,
    };

    return crew_main(argc, argv, &play);
}
