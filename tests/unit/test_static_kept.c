/* SPDX-License-Identifier: MIT */
/* test_static_kept.c - descriptors of files that stay open: found again, let go of, bounded. */
#include "worker/conn_out.h"
#include "worker/static_kept.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct span fields[PAGE_ENCODINGS] = {{"A: 1\r\n", 6}, {"B: 22\r\n", 7}};
static const struct span etag[PAGE_ENCODINGS] = {{"\"a\"", 3}, {"\"bb\"", 4}};

static struct static_file two_parts(void)
{
    struct static_file file = {.stamp = 7, .modified_s = 9};

    for (int i = 0; i < PAGE_ENCODINGS; i++)
        file.part[i] = (struct static_part){.fd = -1};
    for (int i = 0; i < 2; i++) {
        file.part[i].fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(file.part[i].fd >= 0);
        file.part[i].bytes = 10;
    }
    return file;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* The highest descriptor in use tells how many are. */
static int next_fd(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    (void)close(fd);
    return fd;
}

static struct kept_file *add(struct static_kept *table, const char *key, uint64_t hash,
                             uint64_t now_ms)
{
    struct static_file file = two_parts();
    struct kept_file *kept =
        static_kept_add(table, (struct span){key, strlen(key)}, hash, &file, fields, etag, now_ms);

    assert_non_null(kept);
    assert_int_equal(file.part[0].fd, -1); /* taken */
    return kept;
}

static struct kept_file *find(struct static_kept *table, const char *key, uint64_t hash,
                              uint64_t now_ms)
{
    return static_kept_find(table, (struct span){key, strlen(key)}, hash, now_ms);
}

static void what_is_added_is_found_by_its_whole_key(void **state)
{
    struct static_kept *table = static_kept_new();
    struct kept_file *kept = add(table, "one", 5, 0);

    (void)state;
    assert_ptr_equal(find(table, "one", 5, 0), kept);
    assert_null(find(table, "two", 5, 0));
    assert_null(find(table, "one", 5 + 128, 0));
    assert_int_equal(kept->stamp, 7);
    assert_int_equal(kept->modified_s, 9);
    assert_memory_equal(kept->part[1].fields.data, "B: 22\r\n", 7);
    assert_memory_equal(kept->part[1].etag.data, "\"bb\"", 4);
    assert_null(kept->part[2].file);
    static_kept_free(table);
}

static void
two_files_of_a_place_stand_beside_one_another_and_a_third_takes_the_older_ones(void **state)
{
    struct static_kept *table = static_kept_new();

    (void)state;
    (void)add(table, "one", 5, 10);
    (void)add(table, "two", 5, 20);
    assert_non_null(find(table, "one", 5, 30)); /* now "two" is the one not asked for */
    (void)add(table, "three", 5, 40);
    assert_non_null(find(table, "one", 5, 50));
    assert_null(find(table, "two", 5, 50));
    assert_non_null(find(table, "three", 5, 50));
    static_kept_free(table);
}

static void what_is_let_go_of_is_closed_when_nobody_sends_it_any_more(void **state)
{
    struct static_kept *table = static_kept_new();
    struct kept_file *kept = add(table, "one", 5, 0);
    struct out_file *sent = kept->part[0].file;
    int other = kept->part[1].part.fd;

    (void)state;
    sent->holders++; /* as an answer does */
    static_kept_drop(table, kept);
    assert_null(find(table, "one", 5, 0));
    assert_false(is_open(other));
    assert_true(is_open(sent->fd));
    other = sent->fd;
    out_file_release(sent);
    assert_false(is_open(other));
    static_kept_free(table);
}

static void a_sweep_lets_go_of_what_was_not_asked_for_in_two_seconds(void **state)
{
    struct static_kept *table = static_kept_new();

    (void)state;
    (void)add(table, "one", 5, 1000);
    (void)add(table, "two", 6, 1000);
    static_kept_sweep(table, 2999);
    assert_non_null(find(table, "two", 6, 2999));
    static_kept_sweep(table, 3000);
    assert_null(find(table, "one", 5, 3000));
    assert_non_null(find(table, "two", 6, 3000));
    static_kept_free(table);
}

static void however_many_files_there_are_descriptors_are_bounded(void **state)
{
    struct static_kept *table = static_kept_new();
    int before = next_fd();
    char key[16];

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof key, "%u", (unsigned)i);
        (void)add(table, key, i * 0x9e3779b97f4a7c15u, i);
    }
    assert_true(next_fd() <= before + 2 * 128 + 2);
    static_kept_free(table);
    assert_int_equal(next_fd(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_is_found_by_its_whole_key),
        cmocka_unit_test(
            two_files_of_a_place_stand_beside_one_another_and_a_third_takes_the_older_ones),
        cmocka_unit_test(what_is_let_go_of_is_closed_when_nobody_sends_it_any_more),
        cmocka_unit_test(a_sweep_lets_go_of_what_was_not_asked_for_in_two_seconds),
        cmocka_unit_test(however_many_files_there_are_descriptors_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
