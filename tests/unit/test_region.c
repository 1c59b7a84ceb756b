/* SPDX-License-Identifier: MIT */
/* test_region.c - the mapping and its byte map. */
#include "shm/log_shared.h"
#include "shm/region_map.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sys/wait.h>

static const struct region_sizes small = {.cold_bytes = MIB, .max_object_bytes = 64 * KIB};

static void sections_follow_each_other_on_pages(void **state)
{
    struct region *region;

    assert_int_equal(region_create(&small, &region), 0);
    assert_int_equal(region->header->magic, REGION_MAGIC);
    assert_int_equal(region->header->version, REGION_VERSION);
    for (int i = 0; i < REGION_SECTIONS; i++) {
        uint64_t end =
            i + 1 < REGION_SECTIONS ? region->header->section_offset[i + 1] : region->header->bytes;

        assert_int_equal(region->header->section_offset[i] % 4096, 0);
        assert_true(i == REGION_FILE ? end == region->header->section_offset[i]
                                     : region->header->section_offset[i] < end);
    }
    region_close(region);
}

static void segments_never_exceed_the_budget(void **state)
{
    const uint64_t budgets[] = {MIB, MIB + 1, 3 * MIB - 7, 20 * MIB, 40 * MIB + 12345};

    for (size_t i = 0; i < array_len(budgets); i++) {
        struct region_sizes sizes = {budgets[i], 4 * MIB};
        struct region *region;
        uint64_t segment_bytes;

        assert_int_equal(region_create(&sizes, &region), 0);
        segment_bytes = region->header->segment_bytes;
        assert_in_range(segment_bytes, 16 * KIB, MIB);
        assert_int_equal(segment_bytes & (segment_bytes - 1), 0);
        assert_true(region->header->segments * segment_bytes <= budgets[i]);
        assert_true(region->header->segments * segment_bytes + segment_bytes > budgets[i]);
        assert_true(region->header->max_object_bytes <= budgets[i] / 4);
        region_close(region);
    }
}

static void sizes_out_of_range_are_refused(void **state)
{
    struct region *region = NULL;

    assert_int_equal(region_create(&(struct region_sizes){MIB - 1, 1000}, &region), -EINVAL);
    assert_int_equal(region_create(&(struct region_sizes){MIB, 0}, &region), -EINVAL);
    assert_int_equal(region_create(&(struct region_sizes){UINT64_MAX, 1000}, &region), -EINVAL);
    assert_null(region);
}

static void region_larger_than_memory_is_refused_before_it_is_filled(void **state)
{
    struct region *region = NULL;

    if ((uint64_t)sysconf(_SC_PHYS_PAGES) * 4096 > 200 * GIB)
        skip();
    assert_int_equal(region_create(&(struct region_sizes){200 * GIB, MIB}, &region), -ENOSPC);
    assert_null(region);
}

static void child_sees_what_the_parent_wrote_and_the_other_way_round(void **state)
{
    struct region *region;
    int status = 0;
    pid_t pid;

    assert_int_equal(region_create(&small, &region), 0);
    pid = fork();
    if (pid == 0) {
        region_set_stopping(region);
        _exit(0);
    }
    assert_false(pid < 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(region_stopping(region));
    region_close(region);
}

static void reloads_asked_for_are_counted(void **state)
{
    struct region *region;

    assert_int_equal(region_create(&small, &region), 0);
    assert_int_equal(region_reloads_asked(region), 0);
    region_ask_reload(region);
    region_ask_reload(region);
    assert_int_equal(region_reloads_asked(region), 2);
    region_close(region);
}

static void clock_is_a_date_and_never_runs_backwards(void **state)
{
    struct region *region;
    uint64_t before;

    assert_int_equal(region_create(&small, &region), 0);
    before = region_now_ms(region);
    assert_true(before >= region->header->wall_start_ms);
    assert_true(region_now_ms(region) >= before);
    region_close(region);
}

static void close_takes_null(void **state)
{
    region_close(NULL);
}

static void log_level_of_a_fresh_region_is_info(void **state)
{
    struct region *region;

    assert_int_equal(region_create(&small, &region), 0);
    assert_int_equal(atomic_load_explicit(&region_log_level(region)->level, memory_order_relaxed),
                     2);
    region_close(region);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_follow_each_other_on_pages),
        cmocka_unit_test(segments_never_exceed_the_budget),
        cmocka_unit_test(sizes_out_of_range_are_refused),
        cmocka_unit_test(region_larger_than_memory_is_refused_before_it_is_filled),
        cmocka_unit_test(child_sees_what_the_parent_wrote_and_the_other_way_round),
        cmocka_unit_test(reloads_asked_for_are_counted),
        cmocka_unit_test(clock_is_a_date_and_never_runs_backwards),
        cmocka_unit_test(close_takes_null),
        cmocka_unit_test(log_level_of_a_fresh_region_is_info),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
