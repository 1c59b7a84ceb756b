/* SPDX-License-Identifier: MIT */
/*
 * cold.pml - index and ring of the cold cache (shm/index.c, ring.c, cold.c) as a model for spin.
 * Each statement or atomic block below is one access to shared memory, with the private arithmetic
 * that goes with it. What is left out or drawn together, and why that is allowed: README.md.
 *
 * A scenario is chosen with -D (see `check`):
 *   SLOTS, SEGS         how many there are
 *   A1 A2 A3 B1 B2      pages that writers A and B store one after the other; 0: none
 *   FREE_SLOT           another start: see init
 *   LOOKUPS             how often the reader looks for key 0
 *   DELETE, PURGE       someone deletes, purges key 0 once
 *   GHOSTS              an evicted page leaves a ghost; GHOST_START: at first all slots are ghosts
 *   RESUME              a segment is sealed after each page and resumed for the next
 *   PROMOTE             a touched page moves to another segment while the old one is only claimed
 *   CRASH=1             A dies at any step and is reaped; then its row goes to a new process, which
 *                       stores page AGAIN
 *   CRASH=2             A stops at any step, for good, and nobody reaps it
 * M_... takes one thing out of the protocol.
 */
#ifndef SEGS
#define SEGS 2
#endif
#ifndef A1
#define A1 0
#endif
#ifndef A2
#define A2 0
#endif
#ifndef A3
#define A3 0
#endif
#ifndef B1
#define B1 0
#endif
#ifndef B2
#define B2 0
#endif
#ifndef AGAIN
#define AGAIN 0
#endif
#ifndef LOOKUPS
#define LOOKUPS 1
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#define PLACES 2 /* pages for which a segment has room, two words each */
#define TRIES 6  /* more than there can be changes by others, so never the reason for a failure */
#define NONE 255

/* A segment's word: sequence (4 bits) | owner (2) | state (2). */
#define SEALED 0
#define OPEN 1
#define RECLAIMING 2
#define MADE(sequence, own, state) (((sequence) << 4) | ((own) << 2) | (state))
#define STATE(word) ((word) & 3)
#define OWNER(word) (((word) >> 2) & 3)
#define SEQUENCE(word) ((word) >> 4)

/* A slot's word: sequence (4) | place (3) | touched (1); 0: empty. All keys share one tag. */
#define SLOT(sequence, at) (((sequence) << 4) | ((at) << 1))
#define PLACE(word) (((word) >> 1) & 7)
#define SEGMENT(word) (PLACE(word) / PLACES)
#define GHOST 1 /* no segment has sequence 0: dead to who does not know of ghosts */

/* Pages 1 to 7; page 0: bytes that are none. Odd ones are of key 1, even ones of key 0. */
#define KEY(page) ((page) & 1)
#define BIT(page) (1 << (page))
#define OF_KEY(key) ((key) == 0 -> 84 : 170)

/* What is shared. */
byte word[SEGS];
byte fill[SEGS]; /* pages, not bytes */
byte slot[SLOTS];
byte mem[SEGS * PLACES * 2];
byte epoch = 1;
byte cover;      /* the covering word of key 0 */
byte epoch_of[8]; /* stands in the page: written before it, never changed */
byte stored[8];   /* likewise: when its put began */

/* What only the checks know. */
byte dead;
byte ended;     /* writers that are through: 1 A, 2 B */
byte clock = 1; /* orders the puts */
byte begun;     /* pages whose render has begun */
byte published; /* pages that were in the index once */
byte gone;      /* pages that no lookup that begins now may return */

hidden byte whole, of_the_key, not_gone, all_reclaimable, one_slot_a_key;

/* The page of a slot's word as index.c's look() finds it: 0 when the word is dead. */
#define LOOK(w) (SEQUENCE(word[SEGMENT(w)]) == SEQUENCE(w) -> mem[2 * PLACE(w)] : 0)
#ifdef PURGE
#define NOTE(what) what
#define VALID(page)                                                                                \
    (KEY(page) != 0 || epoch_of[page] == epoch || cover <= epoch_of[page])
#else
#define NOTE(what) skip
#define VALID(page) true
#endif

/*
 * A writer may die before each of its stores. Deaths at other steps need no telling apart: what a
 * process has only read dies with it, and the reaper comes at any time afterwards.
 */
#ifdef CRASH
#define MAY_DIE                                                                                    \
    if                                                                                             \
    :: dead == 0 && me == 1 -> dead = me; goto over                                                \
    :: true                                                                                        \
    fi;
#else
#define MAY_DIE
#endif

/* index_clear(): two attempts, for a touch that came between. */
inline clear(n, w)
{
    atomic {
        MAY_DIE
        if
        :: slot[n] == w -> slot[n] = 0; ok = true
        :: else -> ok = false
        fi
    }
    if
    :: ok
    :: else ->
        atomic {
            if
            :: slot[n] == (w ^ 1) -> slot[n] = 0; ok = true
            :: else
            fi
        }
    fi
}

/* index_forget() */
inline forget(n, w)
{
    atomic {
        MAY_DIE
        if
        :: (slot[n] | 1) == (w | 1) -> slot[n] = GHOST
        :: else
        fi
    }
}

#ifdef PROMOTE
/* A segment of main with room: resumed, or claimed and emptied at one go (who stands in it is dead by
 * the new sequence). mseg == NONE: none can be had. */
inline reserve_main()
{
    if
    :: mseg != NONE && !mheld && mfill < PLACES ->
        atomic {
            MAY_DIE
            if
#ifdef M_RESUME_ANY_SEQUENCE
            :: STATE(word[mseg]) == SEALED -> word[mseg] = MADE(mq, me, OPEN); mheld = true
#else
            :: word[mseg] == MADE(mq, 0, SEALED) -> word[mseg] = MADE(mq, me, OPEN); mheld = true
#endif
            :: else -> mseg = NONE; mfill = 0; mq = 0
            fi
        }
    :: else
    fi;
    if
    :: mseg != NONE && mheld && mfill < PLACES
    :: else ->
        if
        :: mseg != NONE && mheld ->
            atomic { MAY_DIE word[mseg] = MADE(mq, 0, SEALED); mheld = false }
        :: else
        fi;
        atomic { /* any but the one that is being emptied */
            MAY_DIE
            mfill = 0;
            if
            :: mseg = 0
            :: mseg = 1
#if SEGS > 2
            :: mseg = 2
#endif
            fi;
            if
            :: mseg != seg && mseg != open && STATE(word[mseg]) == SEALED ->
                mq = SEQUENCE(word[mseg]);
                word[mseg] = MADE(mq, me, RECLAIMING)
            :: else -> mseg = NONE; mq = 0
            fi
        }
        if
        :: mseg == NONE
        :: else ->
            atomic { MAY_DIE mq++; word[mseg] = MADE(mq, me, OPEN); mheld = true }
            atomic { MAY_DIE fill[mseg] = 0 }
        fi
    fi
}

/* promote() of page_there, to which slot n leads by the word `now`. */
inline promote()
{
    reserve_main();
    if
    :: mseg == NONE -> forget(n, now)
    :: else ->
        atomic { MAY_DIE mem[2 * (mseg * PLACES + mfill)] = page_there }
#ifndef M_MOVED_EARLY
        atomic { MAY_DIE mem[2 * (mseg * PLACES + mfill) + 1] = page_there }
#endif
        atomic { MAY_DIE fill[mseg] = mfill + 1 }
        atomic {
            MAY_DIE
            if
#ifdef M_PROMOTE_IS_A_STORE
            :: true -> slot[n] = SLOT(mq, mseg * PLACES + mfill)
#else
            :: (slot[n] | 1) == (now | 1) -> slot[n] = SLOT(mq, mseg * PLACES + mfill)
            :: else
#endif
            fi
        }
#ifdef M_MOVED_EARLY
        atomic { MAY_DIE mem[2 * (mseg * PLACES + mfill) + 1] = page_there }
#endif
        mfill++
    fi
}
#endif

/* empty_segment() of `seg`, which is claimed, so that its `count` pages and `q` stand still. */
inline judge_all()
{
    do
    :: off == count -> break
    :: else ->
        w = SLOT(q, seg * PLACES + off);
        n = 0;
        do
        :: n == SLOTS -> break /* replaced or removed meanwhile */
        :: else ->
            atomic {
                now = slot[n];
                if
                :: (now & 254) == w -> break
                :: else -> n++
                fi
            }
        od;
        if
        :: n == SLOTS
        :: else ->
            atomic {
                page_there = mem[2 * PLACE(w)];
                if
#ifdef PROMOTE
                :: (now & 1) && VALID(page_there) -> stays = true
#else
                :: (now & 1) && kept == 0 && VALID(page_there) ->
                    kept = page_there; kept_slot = n; kept_word = now; stays = true
#endif
                :: else -> stays = false
                fi;
#ifndef PROMOTE
                page_there = 0
#endif
            }
            if
#ifdef PROMOTE
            :: stays -> promote()
#else
            :: stays
#endif
#ifdef GHOSTS
            :: else -> forget(n, now)
#else
            :: else -> clear(n, now)
#endif
            fi;
            page_there = 0
        fi;
        off++
    od;
    atomic { off = 0; n = 0; now = 0; w = 0; ok = false; stays = false; count = 0; q = 0 }
}

inline open_and_resettle()
{
    atomic { /* W4, W0 */
        MAY_DIE
#ifdef M_SEQUENCE_STAYS
        word[seg] = MADE(SEQUENCE(word[seg]), me, OPEN);
#else
        word[seg] = MADE(SEQUENCE(word[seg]) + 1, me, OPEN);
#endif
        open = seg;
        open_q = SEQUENCE(word[seg]);
        held = true;
        open_fill = (kept != 0 -> 1 : 0)
    }
    atomic { MAY_DIE fill[seg] = 0 }
    if
    :: kept == 0
    :: else ->
        atomic { MAY_DIE mem[4 * seg] = kept }
        atomic { MAY_DIE mem[4 * seg + 1] = kept }
        atomic { MAY_DIE fill[seg] = 1 }
        atomic {
            MAY_DIE
            if
#ifdef M_MOVE_IS_A_STORE
            :: true -> slot[kept_slot] = SLOT(SEQUENCE(word[seg]), seg * PLACES)
#else
            :: slot[kept_slot] == kept_word -> slot[kept_slot] = SLOT(SEQUENCE(word[seg]), seg * PLACES)
            :: else
#endif
            fi;
            kept = 0;
            kept_slot = 0;
            kept_word = 0
        }
    fi
}

/* reserve(): have an open segment with room for a page. */
inline reserve()
{
    if
    :: open != NONE && !held ->
        atomic { /* ring_resume() */
            MAY_DIE
            if
#ifdef M_RESUME_ANY_SEQUENCE
            :: open_fill < PLACES && STATE(word[open]) == SEALED ->
#else
            :: open_fill < PLACES && word[open] == MADE(open_q, 0, SEALED) ->
#endif
                word[open] = MADE(open_q, me, OPEN);
                held = true
            :: else -> open = NONE; open_fill = 0; open_q = 0
            fi
        }
    :: else
    fi;
    if
    :: open != NONE && open_fill < PLACES
    :: else ->
        if
        :: open == NONE
        :: else ->
            atomic {
                MAY_DIE
                word[open] = MADE(SEQUENCE(word[open]), 0, SEALED);
                open = NONE;
                open_q = 0;
                held = false;
                open_fill = 0
            }
        fi;
        tries = 0;
        do
        :: open != NONE || tries == 2 -> break
        :: else ->
            atomic { /* the hand: others move it too, so it may stand anywhere */
                if
                :: seg = 0
#if SEGS > 1
                :: seg = 1
#endif
#if SEGS > 2
                :: seg = 2
#endif
                fi;
                tries++
            }
#ifdef M_CLAIM_WAITS
            STATE(word[seg]) == SEALED;
#endif
            atomic {
                MAY_DIE
                if
#ifdef M_CLAIM_ANY
                :: true ->
#else
                :: STATE(word[seg]) == SEALED ->
#endif
                    q = SEQUENCE(word[seg]);
                    word[seg] = MADE(q, me, RECLAIMING);
                    count = fill[seg];
                    ok = true
                :: else -> ok = false
                fi
            }
            if
            :: !ok
            :: else ->
                ok = false;
                judge_all();
                open_and_resettle()
            fi
        od;
        atomic { tries = 0; seg = 0; ok = false }
    fi
}

/* The rank of a slot's word for a writer of this key; smaller is better. */
#define RANK(w, p)                                                                                 \
    (w == 0 -> 2 : (p == 0 -> 1 : (KEY(p) == KEY(page) -> 0 : ((w & 1) -> 5 : 4))))

/* index_put() of `w_new`. */
inline publish()
{
    tries = 0;
    do
    :: tries == TRIES -> break
    :: else ->
        atomic { tries++; best = 9; i = 0 }
        do
        :: i < SLOTS ->
            atomic { n = (w_new / 2 + i) % SLOTS; w = slot[n] }
            atomic {
                rank = RANK(w, LOOK(w));
                if
                :: rank < best || (rank == best && (rank == 2 || rank == 0) && n < best_n) ->
                    best = rank; best_n = n; now = w
                :: else
                fi;
                i++
            }
        :: else -> break
        od;
        atomic { /* W2 */
            MAY_DIE
            if
            :: slot[best_n] == now ->
#ifdef M_GHOST_IS_ENOUGH
                was_ghost = (now == GHOST);
#endif
                slot[best_n] = w_new; published = published | BIT(page); ok = true
            :: else -> ok = false
            fi;
            n = 0; w = 0; now = 0; i = 0; rank = 0; best = 0
        }
        if
        :: ok -> break
        :: else
        fi
    od;
    if
    :: !ok
#ifdef M_GHOST_IS_ENOUGH
    :: ok && was_ghost
#endif
    :: else ->
#ifndef M_OTHERS_STAY
        /* W4: what else of the key is there? */
        n = 0;
        do
        :: n == SLOTS -> break
        :: n == best_n -> n++
        :: else ->
            w = slot[n];
            atomic {
                now = LOOK(w);
                rank = RANK(w, now);
                yields = (rank == 0 &&
                          (stored[now] > stored[page] || (stored[now] == stored[page] && n < best_n)))
            }
            if
            :: yields ->
                clear(best_n, w_new);
                break
            :: !yields && rank <= 1 ->
                clear(n, w);
#ifndef M_NOT_CLEARED_AGAIN
                if
                :: ok -> n++
                :: else /* it was moved: once more */
                fi
#else
                n++
#endif
            :: else -> n++
            fi
        od;
#endif
        gone = gone | before
    fi;
    atomic {
        n = 0; w = 0; now = 0; rank = 0; best_n = 0; tries = 0; w_new = 0; before = 0;
        ok = false; yields = false
    }
}

proctype writer(byte me; byte first; byte second; byte third)
{
    byte page, open = NONE, open_fill, seg, off, n, i, w, w_new, now, kept, kept_slot, kept_word;
    byte tries, rank, best, best_n, before;
    byte q, count, page_there;
    byte open_q;
    bool ok, stays, yields, held;
#ifdef PROMOTE
    byte mseg = NONE, mfill, mq;
    bool mheld;
#endif
#ifdef M_GHOST_IS_ENOUGH
    bool was_ghost;
#endif

    page = first;
    do
    :: page == 0 -> break
    :: else -> /* a render, then cold_put() of the page */
        atomic { /* the render begins: it notes the epoch */
#ifndef M_EPOCH_NOTED_LATE
            epoch_of[page] = epoch;
#endif
            NOTE(begun = begun | BIT(page))
        }
        reserve();
#ifdef M_EPOCH_NOTED_LATE
        epoch_of[page] = epoch;
#endif
        if
        :: open == NONE /* not stored */
        :: else ->
            atomic {
                MAY_DIE
                stored[page] = clock;
                clock++;
                before = published & OF_KEY(KEY(page));
                off = open * PLACES + open_fill;
                w_new = SLOT(SEQUENCE(word[open]), off);
                mem[2 * off] = page
            }
#ifndef M_PUBLISHED_EARLY
            atomic { MAY_DIE mem[2 * off + 1] = page }
#endif
            atomic { MAY_DIE open_fill++; fill[open] = open_fill }
            publish();
#ifdef M_PUBLISHED_EARLY
            atomic { MAY_DIE mem[2 * off + 1] = page }
#endif
            off = 0
        fi;
#ifdef PROMOTE
        if
        :: mseg != NONE && mheld ->
            atomic { MAY_DIE word[mseg] = MADE(mq, 0, SEALED); mheld = false }
        :: else
        fi;
#endif
#ifdef RESUME
        if
        :: open == NONE
        :: else -> atomic { MAY_DIE word[open] = MADE(open_q, 0, SEALED); held = false }
        fi;
#endif
        atomic {
            if /* no page twice */
            :: page == first -> page = second
            :: page == second && page != 0 -> page = third
            :: else -> page = 0
            fi
        }
    od;
    if
    :: open == NONE || !held
    :: else -> atomic { MAY_DIE word[open] = MADE(SEQUENCE(word[open]), 0, SEALED) } /* cold_close() */
    fi;
    ended = ended | me;
over:
    skip
}

/* cold_find() and cold_copy() */
proctype reader()
{
    byte turn, n, w, q, a, b, before;

    do
    :: turn == LOOKUPS -> break
    :: else ->
        atomic { before = gone; turn++; n = 0; a = 0 }
        do
        :: n == SLOTS -> break
        :: else ->
            w = slot[n]; /* R1 */
            if
            :: w == 0 -> n++
            :: else ->
                q = SEQUENCE(word[SEGMENT(w)]); /* R2 */
                if
                :: q != SEQUENCE(w) -> n++
                :: else ->
                    a = mem[2 * PLACE(w)]; /* head and key */
                    q = SEQUENCE(word[SEGMENT(w)]);
                    if
                    :: q != SEQUENCE(w) || a == 0 -> n++; a = 0
                    :: else ->
                        if
#ifdef M_KEYS_NOT_COMPARED
                        :: true -> break
#else
                        :: KEY(a) == 0 -> break
                        :: else -> n++; a = 0
#endif
                        fi
                    fi
                fi
            fi
        od;
        if
        :: a == 0 /* a miss */
        :: else ->
            q = SEQUENCE(word[SEGMENT(w)]);
            a = mem[2 * PLACE(w)];     /* R3 */
            b = mem[2 * PLACE(w) + 1]; /* R3 */
#ifdef M_NOT_LOOKED_AT_AGAIN
            if
            :: q == SEQUENCE(w) ->
#else
            if
            :: q == SEQUENCE(w) && SEQUENCE(word[SEGMENT(w)]) == q -> /* R5 */
#endif
                if
#ifdef M_PURGE_NOT_CHECKED
                :: true ->
#else
                :: VALID(a) ->
#endif
#ifndef M_KEYS_NOT_COMPARED
                    if
                    :: KEY(a) == 0
                    :: else -> goto out
                    fi;
#endif
                    atomic {
                        whole = (a == b);
                        assert(whole);
                        of_the_key = (a != 0 && KEY(a) == 0);
                        assert(of_the_key);
                        not_gone = !(before & BIT(a));
                        assert(not_gone)
                    }
                    atomic {
                        if
                        :: slot[n] == w && !(w & 1) -> slot[n] = w | 1 /* index_touch() */
                        :: else
                        fi
                    }
                :: else
                fi
            :: else
            fi
        fi;
out:
        atomic { n = 0; w = 0; q = 0; a = 0; b = 0; before = 0 }
    od
}

#ifdef DELETE
proctype deleter()
{
    byte me = 3 /* does not die */, n, w, tries, before, now;
    bool ok;

    before = published & OF_KEY(0);
    do
    :: n == SLOTS -> break
    :: else ->
        w = slot[n];
        atomic { now = (w == 0 -> 1 : LOOK(w)); tries++ }
        if
        :: KEY(now) == 1 || tries > TRIES -> n++; tries = 0
#ifdef M_DEAD_NOT_DELETED
        :: KEY(now) == 0 && tries <= TRIES && now == 0 -> n++; tries = 0
        :: KEY(now) == 0 && tries <= TRIES && now != 0 ->
#else
        :: KEY(now) == 0 && tries <= TRIES -> /* the key's own, or dead */
#endif
            clear(n, w);
            if
            :: ok -> n++; tries = 0
            :: else
            fi
        fi
    od;
    gone = gone | before;
over:
    skip
}
#endif

#ifdef PURGE
/* purge_url() of key 0. */
proctype purger()
{
    byte e, before;

    atomic { before = begun & OF_KEY(0); e = epoch } /* P1 */
    atomic {                                         /* P2 */
        if
        :: cover < e + 1 -> cover = e + 1
        :: else
        fi
    }
    atomic { epoch++; gone = gone | before } /* P3 */
}
#endif

#if CRASH == 1
#ifdef M_ROW_GIVEN_OUT_EARLY
#define EARLY true
#else
#define EARLY false
#endif
proctype master()
{
    byte s, w;

    dead != 0 || ended == 3; /* waitpid() */
    if
    :: EARLY && dead != 0 -> run writer(dead, AGAIN, 0, 0)
    :: else
    fi;
    do /* ring_reap() */
    :: s == SEGS -> break
    :: else ->
        w = word[s];
        atomic {
            if
#ifdef M_RECLAIMING_NOT_REAPED
            :: STATE(w) == OPEN && OWNER(w) == dead && word[s] == w ->
#else
            :: STATE(w) != SEALED && OWNER(w) == dead && word[s] == w ->
#endif
                word[s] = MADE(SEQUENCE(w), 0, SEALED)
            :: else
            fi;
            s++
        }
    od;
    if
    :: !EARLY && dead != 0 -> run writer(dead, AGAIN, 0, 0)
    :: else
    fi
}
#endif

init
{
    byte s, n, m;

    d_step {
        word[0] = MADE(1, 0, SEALED);
#ifdef GHOST_START
        for (n : 0 .. SLOTS - 1) {
            slot[n] = GHOST
        }
        published = 0;
#elif defined(FREE_SLOT)
        /* One page of key 1, untouched, whose slot will be free when its segment is reclaimed. */
        fill[0] = 1;
        mem[0] = 1;
        mem[1] = 1;
        slot[0] = SLOT(1, 0);
        published = BIT(1);
#else
        /* Segment 0 is full: page 2 of key 0, which was touched, and page 1 of key 1. */
        fill[0] = 2;
        mem[0] = 2;
        mem[1] = 2;
        mem[2] = 1;
        mem[3] = 1;
        slot[0] = SLOT(1, 0) | 1;
        slot[1] = SLOT(1, 1);
        published = BIT(1) | BIT(2);
#endif
        epoch_of[1] = 1;
        epoch_of[2] = 1;
        begun = published
    }
    atomic {
        run writer(1, A1, A2, A3);
        run writer(2, B1, B2, 0);
        run reader();
#ifdef DELETE
        run deleter();
#endif
#ifdef PURGE
        run purger();
#endif
#if CRASH == 1
        run master();
#endif
    }
    _nr_pr == 1;
    d_step {
        s = 0;
        do
        :: s == SEGS -> break
        :: else ->
#if !defined(CRASH) || CRASH == 1
            all_reclaimable = (STATE(word[s]) == SEALED);
            assert(all_reclaimable);
#endif
            s++
        od;
        for (n : 0 .. SLOTS - 1) {
            for (m : n + 1 .. SLOTS - 1) {
                one_slot_a_key = dead != 0 || slot[n] == 0 || slot[m] == 0 || LOOK(slot[n]) == 0 ||
                                 LOOK(slot[m]) == 0 || KEY(LOOK(slot[n])) != KEY(LOOK(slot[m]));
                assert(one_slot_a_key)
            }
        }
    }
}
