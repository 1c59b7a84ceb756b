/* SPDX-License-Identifier: MIT */
/* test_region_taken.c - the cache file: who may have it, and what is set aside. */
#include "tests/unit/region_file_fixture.h"

static void file_of_another_version_is_set_aside(void **state)
{
    static const size_t fields[] = {offsetof(struct region_layout, version),
                                    offsetof(struct region_layout, page_struct_bytes),
                                    offsetof(struct region_layout, cold_bytes)};
    char aside[PATH_MAX];
    struct stat st;

    for (size_t i = 0; i < array_len(fields); i++) {
        struct session s = begin();

        put(&s, "/a", 'a');
        end(&s);
        flip(fields[i], 0);
        s = begin();
        assert_int_equal(s.report.found, REGION_OTHER);
        (void)snprintf(aside, sizeof aside, i == 0 ? "%s.old" : "%s.old%zu", path, i + 1);
        assert_string_equal(s.report.aside, aside);
        assert_int_equal(stat(aside, &st), 0);
        assert_true(st.st_size > (off_t)MIB);
        assert_int_equal(get(&s, "/a"), 0);
        end(&s);
    }
}

static void file_of_another_size_is_set_aside(void **state)
{
    const struct region_sizes larger = {.cold_bytes = 2 * MIB, .max_object_bytes = 64 * KIB};
    struct session s = begin();
    struct region_report report;
    struct region *region;

    end(&s);
    assert_int_equal(region_open(&larger, path, &region, &report), 0);
    assert_int_equal(report.found, REGION_OTHER);
    region_close(region);
}

static void second_master_is_refused(void **state)
{
    struct session s = begin();
    struct region_report report;
    struct region *region = NULL;

    put(&s, "/a", 'a');
    assert_int_equal(region_open(&sizes, path, &region, &report), -EADDRINUSE);
    assert_null(region);
    assert_int_equal(get(&s, "/a"), 'a');
    end(&s);
}

/* What a worker that outlives its master still has mapped nobody else may have. */
static void file_belongs_to_the_children_of_a_dead_master(void **state)
{
    struct session s = begin();
    struct region_report report;
    struct region *region = NULL;
    int wait_for[2];
    int status;
    pid_t pid;

    assert_int_equal(pipe(wait_for), 0);
    pid = fork();
    if (pid == 0) {
        char byte;

        (void)close(s.region->file_fd); /* as descriptors_keep() does */
        (void)close(s.region->lock_fd);
        (void)close(wait_for[1]);
        (void)!read(wait_for[0], &byte, 1);
        _exit(0);
    }
    end(&s);
    while (region_open(&sizes, path, &region, &report) == -EADDRINUSE)
        continue; /* the child has not closed its copies yet */
    assert_int_equal(region_open(&sizes, path, &region, &report), -EAGAIN);
    (void)close(wait_for[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(region_open(&sizes, path, &region, &report), 0);
    region_close(region);
    (void)close(wait_for[0]);
}

static void other_kinds_of_files_are_refused(void **state)
{
    struct region_report report;
    struct region *region = NULL;
    char other[PATH_MAX];

    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(region_open(&sizes, path, &region, &report), -EISDIR);
    assert_int_equal(rmdir(path), 0);
    (void)snprintf(other, sizeof other, "%s/other", folder);
    assert_int_equal(symlink(other, path), 0);
    assert_int_equal(region_open(&sizes, path, &region, &report), -ELOOP);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(region_open(&sizes, path, &region, &report), -ENOTBLK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(region_open(&sizes, "/nowhere/at/all", &region, &report), -ENOENT);
    assert_null(region);
}

static void file_that_others_may_write_is_refused(void **state)
{
    struct session s = begin();
    struct region_report report;
    struct region *region = NULL;

    end(&s);
    assert_int_equal(chmod(path, 0620), 0);
    assert_int_equal(region_open(&sizes, path, &region, &report), -EPERM);
    assert_int_equal(chmod(path, 0600), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 1, 1), 0);
        assert_int_equal(region_open(&sizes, path, &region, &report), -EPERM);
    }
    assert_null(region);
}

/* A limit on file sizes stands in for a full file system; both are errors of the allocation. */
static void no_room_leaves_everything_as_it_was(void **state)
{
    struct rlimit before, low;
    struct session s = begin();
    struct region_report report;
    struct region *region = NULL;
    struct stat st;

    put(&s, "/a", 'a');
    end(&s);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = (struct rlimit){MIB, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    assert_int_equal(region_open(&(struct region_sizes){2 * MIB, 1000}, path, &region, &report),
                     -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    s = begin();
    assert_int_equal(s.report.found, REGION_KEPT);
    assert_int_equal(get(&s, "/a"), 'a');
    end(&s);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    assert_int_equal(region_open(&sizes, path, &region, &report), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(stat(path, &st), -1); /* it was not there before */
    assert_null(region);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(file_of_another_version_is_set_aside),
        TEST(file_of_another_size_is_set_aside),
        TEST(second_master_is_refused),
        TEST(file_belongs_to_the_children_of_a_dead_master),
        TEST(other_kinds_of_files_are_refused),
        TEST(file_that_others_may_write_is_refused),
        TEST(no_room_leaves_everything_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
