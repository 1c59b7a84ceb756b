/* SPDX-License-Identifier: MIT */
/*
 * purge.pml - purges as generations (shm/purge.c) as a model for spin: the epoch, a covering word,
 * prefixes kept in entries behind a version, the floor, and a hot cache that looks at the epoch
 * alone. Each statement or atomic block is one access to shared memory. See README.md.
 *
 *   ENTRIES      prefix entries (1 or 2)
 *   P1 P2 Q1 Q2  what two purgers purge one after the other: 0 nothing, 1 or 2 the prefix of page 1
 *                or 2, 3 the URL of page 1
 *   LOOKUPS      how often the reader wants page 1
 *   CRASH        purger P dies at any step, and is reaped
 */
#ifndef ENTRIES
#define ENTRIES 1
#endif
#ifndef P1
#define P1 0
#endif
#ifndef P2
#define P2 0
#endif
#ifndef Q1
#define Q1 0
#endif
#ifndef Q2
#define Q2 0
#endif
#ifndef LOOKUPS
#define LOOKUPS 2
#endif

byte epoch = 1;
byte all, floor, cursor;
byte url; /* the covering word of page 1's URL */
byte version[ENTRIES];
byte entry_epoch[ENTRIES];
byte text[ENTRIES * 2]; /* prefix 1 is the words 1 1, prefix 2 is 2 2; 3: none has it */
byte taken[ENTRIES];    /* who writes it, a part of the version */

/* Page 1 was rendered twice: 0 before all this, 1 while it goes on, however long it takes. */
byte epoch_of[2] = 1;
byte found; /* which one stands in the cold cache */

/* What only the checks know. */
byte begun = 1; /* renders, a bit each */
byte gone;      /* renders that no lookup that begins now may return */
byte dead, ended;
hidden byte not_gone, valid_again, all_free;

#ifdef CRASH
#define MAY_DIE                                                                                    \
    if                                                                                             \
    :: dead == 0 && me == 1 -> dead = me; goto over                                                \
    :: true                                                                                        \
    fi;
#else
#define MAY_DIE
#endif

#define RAISE(word, value)                                                                         \
    if                                                                                             \
    :: word < value -> word = value                                                                \
    :: else                                                                                        \
    fi

#define RAISE_NOW(word, value) atomic { RAISE(word, value) }

/* raise_entry() */
inline raise_entry(prefix)
{
    i = 0;
    do
    :: i == ENTRIES || done -> break
    :: else ->
        v = version[i];
        if
        :: v % 2 != 0 -> i++
        :: else ->
            if
            :: entry_epoch[i] == 0 -> i++
            :: else ->
                if
                :: text[2 * i] != prefix -> i++
                :: else ->
                    if
                    :: text[2 * i + 1] != prefix -> i++
                    :: else ->
                        atomic { MAY_DIE RAISE(entry_epoch[i], e + 1) }
#ifdef M_RAISED_WITHOUT_CAS
                        done = true;
#else
                        atomic { done = (version[i] == v) }
#endif
                        break
                    fi
                fi
            fi
        fi
    od;
    atomic { i = 0; v = 0 }
}

/* write_entry() */
inline write_entry(prefix)
{
    atomic { i = cursor; cursor = (cursor + 1) % ENTRIES; tries++ }
    v = version[i];
    if
    :: v % 2 != 0
    :: else ->
        atomic { /* W1 */
            MAY_DIE
            if
            :: version[i] == v -> version[i] = v + 1; taken[i] = me; done = true
            :: else
            fi
        }
        if
        :: !done
        :: else ->
#ifndef M_NO_FLOOR
            old = entry_epoch[i];
            atomic { MAY_DIE RAISE(floor, old) } /* W2 */
#endif
            atomic { MAY_DIE RAISE(entry_epoch[i], e + 1) } /* W3 */
            atomic { MAY_DIE text[2 * i] = prefix }         /* W5 */
            atomic { MAY_DIE text[2 * i + 1] = prefix }
            atomic { MAY_DIE version[i] = v + 2; taken[i] = 0 } /* W6 */
        fi
    fi;
    atomic { i = 0; v = 0; old = 0 }
}

proctype purger(byte me; byte first; byte second)
{
    byte what, e, i, v, old, tries, before;
    bool done;

    what = first;
    do
    :: what == 0 -> break
    :: else ->
        atomic { before = (what != 2 -> begun : 0); e = epoch } /* P1 */
#ifdef M_ANNOUNCED_FIRST
        atomic { MAY_DIE epoch++ }
#endif
        if
        :: what == 3 -> atomic { MAY_DIE RAISE(url, e + 1) } /* P2 */
        :: else ->
            raise_entry(what);
            do
            :: done || tries == ENTRIES -> break
            :: else -> write_entry(what)
            od;
            if
            :: done
            :: else -> atomic { MAY_DIE RAISE(all, e + 1) }
            fi
        fi;
#ifdef M_ANNOUNCED_FIRST
        gone = gone | before;
#else
        atomic { /* P3 */
            MAY_DIE
#ifdef M_TICKET
            RAISE(epoch, e + 1);
#else
            epoch++;
#endif
            gone = gone | before
        }
#endif
        atomic {
            tries = 0; done = false; e = 0; before = 0;
            if
            :: what == first && second != first -> what = second
            :: else -> what = 0
            fi
        }
    od;
over:
    ended++
}

/* purge_page_valid() of a page of path 1 whose epoch is `own` */
inline judge(own)
{
    if
    :: epoch == own -> valid = true
    :: else ->
        if
        :: all > own
        :: else ->
            if
            :: url > own
            :: else ->
                i = 0;
                do
                :: i == ENTRIES -> break
                :: else ->
                    v = version[i]; /* R1 */
                    if
                    :: entry_epoch[i] <= own -> i++ /* R2 */
                    :: else ->
#ifndef M_ODD_NOT_COVERED
                        if
                        :: v % 2 != 0 -> break
                        :: else
                        fi;
#endif
                        if
                        :: text[2 * i] == 1 -> /* R3 */
                            if
                            :: text[2 * i + 1] == 1 -> break
                            :: else
                            fi
                        :: else
                        fi;
#ifndef M_VERSION_NOT_LOOKED_AT_AGAIN
                        if
                        :: version[i] != v -> break /* R5 */
                        :: else
                        fi;
#endif
                        i++
                    fi
                od;
                if
                :: i < ENTRIES
                :: else -> valid = (floor <= own) /* R6 */
                fi
            fi
        fi
    fi;
    atomic { i = 0; v = 0 }
}

#ifdef CRASH
/* purge_reap(), when P has died */
proctype master()
{
    byte i, v, old, e;
    bool above;

    dead != 0 || ended == 4; /* waitpid() */
    if
    :: dead == 0
    :: else ->
#ifndef M_ENTRY_NOT_FREED
        do
        :: i == ENTRIES -> break
        :: else ->
            v = version[i];
            if
            :: taken[i] != dead
            :: else ->
#ifndef M_NO_FLOOR_FOR_DEAD
                old = entry_epoch[i];
                RAISE_NOW(floor, old); /* D1 */
#endif
                text[2 * i] = 3;                       /* D2 */
                atomic { version[i] = v + 1; taken[i] = 0 } /* D3 */
            fi;
            i++
        od;
#endif
#ifndef M_NOT_FINISHED
        e = epoch; /* D4 */
        i = 0;
        above = (all > e);
        above = above || (floor > e);
        above = above || (url > e);
        do
        :: i == ENTRIES -> break
        :: else -> above = above || (entry_epoch[i] > e); i++
        od;
        if
        :: above -> epoch++
        :: else
        fi
#endif
    fi;
    ended++
}
#endif

proctype renderer()
{
    atomic { epoch_of[1] = epoch; begun = begun | 2 }
    found = 1;
    ended++
}

/* lookup() of worker/lookup.c: a hot cache of one page before the cold one */
proctype reader()
{
    byte turn, hot, checked = 1, e, i, v, before;
    bool valid;

    do
    :: turn == LOOKUPS -> break
    :: else ->
        atomic { before = gone; turn++ }
        e = epoch;
        if
        :: hot != 255 && checked == e -> valid = true
        :: hot != 255 && checked != e -> judge(epoch_of[hot])
        :: else
        fi;
        if
        :: valid
        :: else ->
            hot = found;           /* cold_find() */
            judge(epoch_of[hot]) /* cold_copy() */
        fi;
        atomic {
            if
            :: valid ->
                checked = e;
                not_gone = !(before & (1 << hot));
                assert(not_gone)
            :: else -> hot = 255; checked = 0
            fi;
            valid = false; e = 0; before = 0
        }
    od;
    ended++
}

init
{
    byte own, i, v;
    bool valid;

    atomic {
        run purger(1, P1, P2);
        run purger(2, Q1, Q2);
        run renderer();
        run reader();
#ifdef CRASH
        run master();
#endif
    }
#ifdef CRASH
    ended == 5;
    for (i : 0 .. ENTRIES - 1) {
        all_free = (taken[i] == 0);
        assert(all_free)
    }
#else
    ended == 4;
#endif
    /* Not too much: what is rendered now is valid, also after a later purge of something else. */
    own = epoch;
    epoch++;
    judge(own);
    valid_again = valid;
    assert(valid_again)
}
