/* SPDX-License-Identifier: MIT */
/*
 * ring_bench.c - what an operation of the ring costs by itself (part_bench.h): 256 segments of 256 KiB, pages of 1 kB, their
 * places drawn from 4 MiB.
 */
#include "perf/eviction/part_bench.h"
#include "shm/region_map.h"
#include "shm/ring.h"

#define PAGE_BYTES 1024u
#define WORKING_SEGMENTS 16u

struct stage {
    struct region *region;
    struct ring ring;
    uint32_t segment; /* open, the process's own */
    uint32_t sequence;
    uint32_t fill;
    unsigned char page[PAGE_BYTES];
};

static void next_segment(struct part *part)
{
    struct stage *stage = part->stage;
    uint64_t steps = 4 * (uint64_t)stage->ring.segments;
    uint32_t segment;

    while (ring_hand(&stage->ring, RING_PROBATION, &steps, &segment)) {
        if (segment < WORKING_SEGMENTS || !ring_claim(&stage->ring, segment))
            continue;
        if (!ring_open(&stage->ring, segment))
            break;
        stage->segment = segment;
        stage->sequence = ring_sequence(&stage->ring, segment);
        stage->fill = 0;
        return;
    }
    part->failed++;
}

/* A reader's part: sequence, copy, sequence. */
static void do_read(struct part *part)
{
    struct stage *stage = part->stage;
    uint32_t segment = part_draw(part, WORKING_SEGMENTS);
    uint32_t offset = part_draw(part, stage->ring.segment_bytes / PAGE_BYTES) * PAGE_BYTES;
    uint32_t sequence = ring_sequence(&stage->ring, segment);

    ring_copy(stage->page, ring_at(&stage->ring, ring_location(&stage->ring, segment, offset)),
              PAGE_BYTES);
    part->failed += !ring_unchanged(&stage->ring, segment, 1, sequence);
}

static void do_copy(struct part *part)
{
    struct stage *stage = part->stage;
    uint32_t segment = part_draw(part, WORKING_SEGMENTS);
    uint32_t offset = part_draw(part, stage->ring.segment_bytes / PAGE_BYTES) * PAGE_BYTES;

    ring_copy(stage->page, ring_at(&stage->ring, ring_location(&stage->ring, segment, offset)),
              PAGE_BYTES);
    __asm__ volatile("" ::"r"(stage->page) : "memory");
}

/* A writer's: the page, its fill, and a segment now and then. */
static void do_append(struct part *part)
{
    struct stage *stage = part->stage;

    if (stage->fill + PAGE_BYTES > stage->ring.segment_bytes) {
        part->failed += !ring_seal(&stage->ring, stage->segment);
        next_segment(part);
    }
    ring_write(ring_at(&stage->ring, ring_location(&stage->ring, stage->segment, stage->fill)),
               stage->page, PAGE_BYTES);
    stage->fill += PAGE_BYTES;
    ring_set_fill(&stage->ring, stage->segment, stage->fill, 1);
}

/* Sealed, and the next one claimed and opened. */
static void do_turn(struct part *part)
{
    struct stage *stage = part->stage;

    part->failed += !ring_seal(&stage->ring, stage->segment);
    next_segment(part);
}

static void do_resume(struct part *part)
{
    struct stage *stage = part->stage;

    part->failed += !ring_seal(&stage->ring, stage->segment) ||
                    !ring_resume(&stage->ring, stage->segment, stage->sequence);
}

static void do_reap(struct part *part)
{
    struct stage *stage = part->stage;

    (void)ring_reap(&stage->ring, 7); /* nobody's row: the walk alone */
}

static void enter(struct part *part)
{
    struct stage *own = malloc(sizeof *own);

    if (own == NULL)
        _exit(71);
    *own = *(struct stage *)part->stage;
    part->stage = own;
    ring_view(own->region, part->number, &own->ring);
    next_segment(part);
}

static void settle(struct part *part)
{
    struct stage *stage = part->stage;

    (void)ring_reap(&stage->ring, 1);
}

int main(int argc, char **argv)
{
    static const struct part_operation operations[] = {
        {"copy", do_copy}, {"read", do_read},     {"append", do_append},
        {"turn", do_turn}, {"resume", do_resume}, {"reap", do_reap},
    };
    struct stage stage = {0};
    struct part part = {.stage = &stage, .random = 42};

    if (region_create(&(struct region_sizes){64 * MIB, MIB}, &stage.region) != 0)
        return 71;
    ring_view(stage.region, 0, &stage.ring);
    for (uint32_t i = 0; i < stage.ring.segments; i++) /* all of it is backed */
        part.failed +=
            !ring_claim(&stage.ring, i) || !ring_open(&stage.ring, i) || !ring_seal(&stage.ring, i);
    next_segment(&part);
    return part_main(argc, argv, &part, operations, array_len(operations), enter, settle);
}
