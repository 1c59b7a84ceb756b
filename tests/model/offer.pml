/* SPDX-License-Identifier: MIT */
/*
 * offer.pml - renders that another worker may do (shm/offer.c): one slot or two, two owners that offer one after another
 * and then wait, withdraw or drop, two takers that render what they find or sleep by their bells, and the reaper of one of
 * them. Labels as in offer.c. Settings: tests/model/check.
 *
 *   A, D        jobs that owner 0 and owner 3 offer (their takers are 1 and 2)
 *   SLOTS       1 or 2
 *   ALONE       the second taker is not there
 *   CRASH=n     worker n (0: an owner, 1: a taker) may die before any of its stores, and is reaped; its number is not
 *               given out again
 */
#ifndef A
#define A 1
#endif
#ifndef D
#define D 0
#endif
#ifndef SLOTS
#define SLOTS 1
#endif
#ifndef CRASH
#define CRASH 9
#endif

#define NONE 9

mtype = { FREE, FILLING, OPEN, TAKEN, DONE, LOST, ORPHAN };

/* A slot's word; what stands in it, 0 while it is being written. */
typedef slot_t {
    mtype state;
    byte ver;
    byte owner;
    byte taker;
    byte request;
    byte result;
};
slot_t slot[SLOTS];
bool open[SLOTS]; /* the bit of each */
bool idle[4];
bool bell[4];

bool whole_request, whole_result, all_free; /* what must hold, named for tests/model/check */
byte owners_over; /* that are through */
byte over;        /* of all */
bool died;
bool reaped;

#define STEP if :: skip :: atomic { me == CRASH && !died -> died = true; over++; if :: me == 0 || me == 3 -> owners_over++ :: else fi }; goto dead fi

/* P4, P5 */
inline wake_one()
{
#ifndef M_NO_WAKE
    w = 0;
    do
    :: w < 4 && idle[w] -> /* P4 */
        STEP;
        atomic { rings = idle[w]; idle[w] = false };
        if
        :: rings -> STEP; bell[w] = true; break
        :: else
        fi;
        w++
    :: w < 4 && !idle[w] -> w++
    :: w == 4 -> break
    od;
    w = 0; rings = false
#else
    skip
#endif
}

/* The CAS of move(), from the state that was seen, under our version; `moved` says whether. */
#define MOVE(s, from, to) \
    STEP; \
    atomic { \
        if \
        :: slot[s].ver == v && slot[s].state == from -> slot[s].state = to; moved = true \
        :: else -> moved = false \
        fi \
    }

inline offer()
{
    s = NONE;
    do /* offer_begin(): the lowest */
    :: n < SLOTS && s == NONE ->
        STEP;
        atomic { /* P0 */
            if
            :: slot[n].state == FREE ->
                slot[n].state = FILLING; slot[n].ver++; slot[n].owner = me; slot[n].taker = NONE;
                s = n; v = slot[n].ver
            :: else
            fi;
            n++
        }
    :: else -> break
    od;
    n = 0;
    if
    :: s != NONE ->
#ifdef M_OPEN_BEFORE_WRITTEN
        STEP; slot[s].state = OPEN;
        STEP; open[s] = true;
#endif
        STEP; slot[s].request = 0; /* P1, half of it */
        STEP; slot[s].request = job;
#ifndef M_OPEN_BEFORE_WRITTEN
        STEP; slot[s].state = OPEN; /* P2: a CAS that finds its own word */
#ifdef M_BELL_BEFORE_BIT
        wake_one();
#endif
        STEP; open[s] = true; /* P3 */
#endif
        if
#ifndef M_BIT_LEFT
        :: slot[s].state != OPEN -> STEP; open[s] = false /* P3a */
#endif
        :: else ->
#ifndef M_BELL_BEFORE_BIT
            wake_one()
#else
            skip
#endif
        fi
    :: else
    fi
}

/* offer_withdraw(); `moved`: it is gone. */
inline withdraw()
{
#ifdef M_WITHDRAWN_EARLY
    MOVE(s, OPEN, FREE);
    if
    :: moved -> STEP; open[s] = false
    :: else
    fi
#else
    MOVE(s, OPEN, FILLING);
    if
    :: moved -> STEP; open[s] = false; STEP; slot[s].state = FREE
    :: else
    fi
#endif
}

/* offer_drop() */
inline drop()
{
    do
    :: s == NONE -> break
    :: else ->
        atomic { st = slot[s].state; if :: slot[s].ver != v -> st = FREE :: else fi };
        if
        :: st == OPEN ->
            withdraw();
            if :: moved -> s = NONE :: else fi
        :: st == TAKEN ->
#ifdef M_DROPPED_FREE
            MOVE(s, TAKEN, FREE);
#else
            MOVE(s, TAKEN, ORPHAN);
#endif
            if :: moved -> s = NONE :: else fi
        :: st == DONE || st == LOST ->
            STEP; slot[s].state = FREE; /* D3 */
            s = NONE
        :: else -> s = NONE
        fi
    od
}

/* Until it is done by somebody; what is lost, or still open when its turn comes after a death, is rendered at home. */
inline wait_for()
{
    do
    :: s == NONE -> break
    :: else ->
        atomic { st = slot[s].state; if :: slot[s].ver != v -> st = LOST :: else fi }; /* D1 */
        if
        :: st == DONE ->
            atomic { whole_result = (slot[s].result == job); assert(whole_result) }; /* D2 */
            drop()
        :: st == LOST -> drop()
        :: else ->
            if
            :: bell[me] -> bell[me] = false /* in vain: an invalid end state */
            :: reaped && !turn && st == OPEN ->
                turn = true;
                withdraw();
                if :: moved -> s = NONE :: else fi
            fi
        fi
    od
}

proctype asks(byte me; byte jobs)
{
    byte s, v, n, w, job;
    mtype st;
    bool rings, moved, turn;

    s = NONE;
    do
    :: jobs > 0 ->
        atomic { job = 10 * me + jobs; turn = false };
        offer();
        if
        :: s == NONE /* no slot: it renders at home */
        :: s != NONE -> wait_for()
        :: s != NONE ->
            withdraw(); /* its turn has come */
            if
            :: moved -> s = NONE
            :: else -> wait_for()
            fi
        :: s != NONE -> drop() /* nobody wants it any more */
        fi;
        jobs--
    :: else -> break
    od;
    atomic { owners_over++; over++ };
dead:
    skip
}

/* offer_take(): the first that is open, all being of one age */
inline take_one()
{
    s = NONE; n = 0;
    do
    :: n < SLOTS && s == NONE ->
        if
        :: open[n] -> /* I2 */
            atomic { st = slot[n].state; v = slot[n].ver; o = slot[n].owner }; /* T1 */
            if
#ifdef M_OPEN_BEFORE_WRITTEN
            :: st == OPEN || st == FILLING ->
#else
            :: st == OPEN ->
#endif
#ifdef M_TAKEN_WITHOUT_CAS
                STEP; atomic { slot[n].state = TAKEN; slot[n].ver = v; slot[n].taker = me; moved = true };
#else
                STEP;
                atomic { /* T2 */
                    if
                    :: slot[n].state == st && slot[n].ver == v -> slot[n].state = TAKEN; slot[n].taker = me; moved = true
                    :: else -> moved = false
                    fi
                };
#endif
                if
                :: moved -> STEP; open[n] = false; s = n
                :: else
                fi
            :: else
            fi
        :: else
        fi;
        n++
    :: else -> break
    od;
    n = 0
}

/* T3 to T5 */
inline render()
{
    job = slot[s].request;
    STEP; slot[s].result = 0;
    atomic { whole_request = (job != 0 && slot[s].request == job); assert(whole_request) };
    STEP; slot[s].result = job;
    if
    :: MOVE(s, TAKEN, DONE) /* T4 */
    :: MOVE(s, TAKEN, LOST) /* it gives up */
    fi;
    if
#ifdef M_OWNER_NOT_RUNG
    :: moved
#else
    :: moved -> STEP; bell[o] = true /* T5: the owner of the word that was taken */
#endif
    :: else -> MOVE(s, ORPHAN, FREE)
    fi
}

proctype helps(byte me)
{
    byte s, v, n, w, job, o;
    mtype st;
    bool rings, moved, more, left;

    do
    :: left -> break
    :: else ->
        take_one();
        if
        :: s != NONE -> render()
        :: else ->
#ifdef M_LOOK_BEFORE_IDLE
            more = open[0] || open[SLOTS - 1];
            STEP; idle[me] = true;
#else
            STEP; idle[me] = true; /* I1 */
            more = open[0] || open[SLOTS - 1]; /* I2 */
#endif
#ifdef M_NO_SECOND_LOOK
            more = false;
#endif
            if
            :: more
            :: else ->
                if
                :: bell[me] -> bell[me] = false
                :: owners_over == 2 -> left = true
                fi
            fi
        fi
    od;
    over++;
dead:
    skip
}

/* The master's offers_reap(). */
proctype reaper()
{
    byte me = NONE, s, v, o, t;
    mtype st, to;
    bool moved;

    died;
    idle[CRASH] = false;
    do
    :: s < SLOTS ->
        atomic { st = slot[s].state; v = slot[s].ver; o = slot[s].owner; t = slot[s].taker };
        if
#ifndef M_BELLS_OF_DEAD_STAY
        :: t == CRASH && (st == DONE || st == LOST) -> bell[o] = true
#endif
        :: else
        fi;
        to = st;
        if
#ifndef M_OWNERS_NOT_REAPED
        :: st != FREE && o == CRASH -> to = (st == TAKEN || st == ORPHAN -> ORPHAN : FREE)
#endif
#ifndef M_TAKERS_NOT_REAPED
        :: o != CRASH && t == CRASH && st == TAKEN -> to = LOST
        :: o != CRASH && t == CRASH && st == ORPHAN -> to = FREE
#endif
        :: else
        fi;
        if
        :: to == st -> s++
        :: else ->
#ifndef M_REAPER_LEAVES_BIT
            open[s] = false;
#endif
            MOVE(s, st, to);
            if
            :: moved && to == LOST -> bell[o] = true
            :: else
            fi;
            if :: moved -> s++ :: else fi /* else the other party has moved it: look again */
        fi
    :: else -> break
    od;
dead:
    reaped = true
}

init {
    byte i;

    atomic {
        i = 0;
        do :: i < SLOTS -> slot[i].state = FREE; i++ :: else -> break od;
        run asks(0, A);
        run asks(3, D);
        run helps(1);
#ifdef ALONE
        over++;
#else
        run helps(2);
#endif
#if CRASH < 9
        run reaper()
#endif
    };
    /* all through, and the dead reaped: nothing is held, no bit is left for who comes next */
    atomic {
        over == 4 && (!died || reaped);
        if :: !died -> died = true :: else fi /* lets a reaper that was not needed end */
    };
    all_free = (slot[0].state == FREE && slot[SLOTS - 1].state == FREE && !open[0] && !open[SLOTS - 1]);
    assert(all_free)
}
