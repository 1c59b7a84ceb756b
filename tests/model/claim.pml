/* SPDX-License-Identifier: MIT */
/*
 * claim.pml - one render a key (shm/claim.c): a bucket that names two slots, two slots, three workers that claim, release, or
 * wait for one another by their bells, and the reaper of one of them. Labels as in claim.c. Settings: tests/model/check.
 *
 *   A1, A2, B1, C1   keys (1 or 2) that the three claim, one after another; 0: none
 *   CRASH            A may die before any of its stores, and is reaped
 */
#ifndef A1
#define A1 1
#endif
#ifndef A2
#define A2 0
#endif
#ifndef B1
#define B1 1
#endif
#ifndef C1
#define C1 0
#endif

#define SLOTS 2
#define TRIES 4 /* each is another's success */

mtype = { FREE, FILLING, HELD, DONE };

/* A slot's word; its key; a bit for each who waits. */
typedef slot_t {
    mtype state;
    byte ver;
    byte row;
    byte key;
    byte waits;
};
slot_t slot[SLOTS];

/* The bucket: version, and two slots + 1. */
byte bver;
byte ref[2];

bool bell[3];
byte owners[3]; /* by key */
bool one_owner, outcome_kept, still_its_owners, all_free; /* what must hold, named for tests/model/check */
byte over;      /* workers that are through */
bool died;
bool reaped;

#ifdef CRASH
#define STEP if :: skip :: atomic { me == 0 && !died -> died = true; DISOWN; over++ }; goto dead fi
/* What it held stays held; only the count of those who think that they own a key is the model's. */
#define DISOWN if :: owns -> owns = false; owners[key]-- :: else fi
#else
#define STEP skip
#endif

/* O3 */
inline wake(s) {
    bits = slot[s].waits;
    if :: bits & 1 -> STEP; bell[0] = true :: else fi;
    if :: bits & 2 -> STEP; bell[1] = true :: else fi;
    if :: bits & 4 -> STEP; bell[2] = true :: else fi
}

/* O2 and O3 */
inline finish(s) {
    STEP;
    slot[s].state = DONE;
#ifndef M_NO_WAKE
    wake(s)
#endif
}

/* What stands in the slot that a reference names: sight 0 dead, 1 another key, 2 the same, 3 it moved. */
inline look_at(r) {
    sight = 0;
    if
    :: r > 0 && r - 1 != own ->
        atomic { /* C2 */
            st = slot[r - 1].state; sv = slot[r - 1].ver
        };
        if
        :: st == HELD ->
            sk = slot[r - 1].key; /* C3 */
            if /* C5 */
            :: slot[r - 1].ver != sv -> sight = 3
            :: else -> sight = (sk == key -> 2 : 1)
            fi
        :: else
        fi
    :: else
    fi
}

/* own: a slot taken, or 9; result: 0 claimed, 1 another has it (in os, ov), 2 no place */
inline claim() {
    own = 9; tries = 0; result = 3;
    do
    :: result == 3 && tries < TRIES ->
        tries++;
        atomic { wv = bver; w0 = ref[0]; w1 = ref[1] }; /* C1 */
        place = 9;
        look_at(w0);
        if
        :: sight == 2 -> result = 1; os = w0 - 1; ov = sv
        :: sight == 0 -> place = 0
        :: else
        fi;
        if
        :: result == 3 && sight != 3 ->
            look_at(w1);
            if
            :: sight == 2 -> result = 1; os = w1 - 1; ov = sv
            :: sight == 0 && place == 9 -> place = 1
            :: else
            fi
        :: else
        fi;
        if
        :: result == 3 && sight != 3 && place == 9 -> result = 2
        :: result == 3 && sight != 3 && place != 9 && own == 9 -> take_any()
        :: else
        fi;
        if
        :: result == 3 && sight != 3 ->
            STEP;
            atomic { /* C10 */
                if
#ifdef M_BUCKET_WITHOUT_VERSION
                :: ref[0] == w0 && ref[1] == w1 ->
#else
                :: bver == wv ->
#endif
                    bver++; ref[place] = own + 1; result = 0;
                    owns = true; owners[key]++; one_owner = (owners[key] == 1); assert(one_owner)
                :: else
                fi
            }
        :: else
        fi
    :: else -> break
    od;
    if :: result == 3 -> result = 2 :: else fi;
    if
    :: result != 0 && own != 9 -> finish(own) /* given back */
    :: else
    fi
}

/* T2: a step of its own, after T1 */
#ifdef M_TAKEN_WHILE_AWAITED
#define CAN_BE_TAKEN(n) (st == FREE || st == DONE)
#else
#define CAN_BE_TAKEN(n) ((st == FREE || st == DONE) && slot[n].waits == 0)
#endif

inline take_any() {
    n = 0;
    do
    :: n < SLOTS && own == 9 ->
        atomic { st = slot[n].state; sv = slot[n].ver }; /* T1 */
        if
        :: CAN_BE_TAKEN(n) ->
            STEP;
            atomic { /* C6 */
                if
                :: slot[n].state == st && slot[n].ver == sv ->
                    slot[n].state = FILLING; slot[n].ver = sv + 1; slot[n].row = me; own = n; mv = sv + 1
                :: else
                fi
            };
            if
            :: own == n ->
                STEP; slot[n].key = key; /* C8 */
                STEP; slot[n].state = HELD /* C9 */
            :: else
            fi
        :: else
        fi;
        n++
    :: else -> break
    od;
    if :: own == 9 -> result = 2 :: else fi
}

inline wait_for() {
    sleeps = true;
#ifdef M_BIT_AFTER_LOOK
    sleeps = slot[os].state == HELD && slot[os].ver == ov;
    slot[os].waits = slot[os].waits | (1 << me);
#else
    STEP;
    slot[os].waits = slot[os].waits | (1 << me); /* W1 */
#ifndef M_NO_SECOND_LOOK
    sleeps = (slot[os].state == HELD && slot[os].ver == ov); /* W2 */
#endif
#endif
    do
    :: sleeps ->
        bell[me]; /* in vain: an invalid end state */
        bell[me] = false;
        atomic { /* L1 */
            outcome_kept = (slot[os].ver == ov); assert(outcome_kept);
            sleeps = slot[os].state == HELD
        }
    :: else -> break
    od;
    STEP;
    slot[os].waits = slot[os].waits & (7 - (1 << me)) /* L2 */
}

proctype worker(byte me; byte k1; byte k2)
{
    byte key, own, place, tries, result, os, ov, n, sv, sk, sight, wv, w0, w1, bits, rounds, mv;
    mtype st;
    bool sleeps, owns;

    own = 9;
    key = k1;
    do
    :: key != 0 && rounds < 3 ->
        rounds++;
        claim();
        if
        :: result == 0 ->
            STEP;
            atomic {
                owns = false; owners[key]--;
                still_its_owners = (slot[own].state == HELD && slot[own].ver == mv); assert(still_its_owners)
            };
            finish(own);
            key = k2; k2 = 0
        :: result == 1 -> wait_for() /* then it asks again */
        :: else -> key = k2; k2 = 0 /* renders without a claim */
        fi
    :: else -> break
    od;
    over++;
dead:
    skip
}

/* The master, when A has died. */
proctype reaper()
{
    byte me = 9, s, bits, sv, sr, key;
    mtype st;
    bool owns;

    died;
    do
    :: s < SLOTS ->
        slot[s].waits = slot[s].waits & 6;
        atomic { st = slot[s].state; sv = slot[s].ver; sr = slot[s].row }; /* R1 */
        if
        :: st == DONE && sr == 0 ->
#ifdef M_REAPER_STORES
            atomic { slot[s].state = DONE; slot[s].ver = sv; slot[s].row = 0 };
#endif
            wake(s)
#ifndef M_NOT_REAPED
        :: (st == FILLING || st == HELD) && sr == 0 -> finish(s)
#endif
        :: else
        fi;
        s++
    :: else -> break
    od;
dead:
    reaped = true
}

init {
    atomic {
        slot[0].state = FREE; slot[1].state = FREE;
        run worker(0, A1, A2);
        run worker(1, B1, 0);
        run worker(2, C1, 0);
#ifdef CRASH
        run reaper()
#endif
    };
    /* all through, and the dead reaped: nothing is held, nobody's bit is set */
    atomic {
        over == 3 && (!died || reaped);
        if :: !died -> died = true :: else fi; /* lets a reaper that was not needed end */
    };
    all_free = ((slot[0].state == FREE || slot[0].state == DONE) && (slot[1].state == FREE || slot[1].state == DONE) &&
                slot[0].waits == 0 && slot[1].waits == 0);
    assert(all_free)
}
