/* SPDX-License-Identifier: MIT */
/* test_region_file.c - the cache file: what of it is believed after what. */
#include "shm/purge_map.h"
#include "tests/unit/region_file_fixture.h"

static void pages_outlive_the_processes(void **state)
{
    struct session s = begin();

    assert_int_equal(s.report.found, REGION_NEW);
    put(&s, "/a", 'a');
    put(&s, "/b", 'b');
    assert_int_equal(get(&s, "/a"), 'a');
    end(&s);
    s = begin();
    assert_int_equal(s.report.found, REGION_KEPT);
    assert_int_equal(get(&s, "/a"), 'a');
    assert_int_equal(get(&s, "/b"), 'b');
    assert_int_equal(get(&s, "/c"), 0);
    put(&s, "/a", 'z');
    assert_int_equal(get(&s, "/a"), 'z');
    end(&s);
}

static void segment_held_by_the_dead_can_be_had_again(void **state)
{
    struct session s = begin();
    struct ring ring;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        put(&s, "/a", 'a');
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    ring_view(s.region, REGION_PEERS_MAX, &ring);
    assert_int_equal(ring_held(&ring), 1);
    end(&s);
    s = begin();
    ring_view(s.region, REGION_PEERS_MAX, &ring);
    assert_int_equal(ring_held(&ring), 0);
    assert_int_equal(get(&s, "/a"), 'a');
    end(&s);
}

static void purged_stays_purged(void **state)
{
    static const char *const urls[] = {"/url", "/tagged", "/prefix/a", "/kept"};
    struct session s = begin();
    struct span tag = {"t", 1};
    autofree struct page *tagged = NULL;

    for (size_t i = 0; i < array_len(urls); i++)
        put(&s, urls[i], 'a');
    tagged = sample_page(&(struct sample){.path = "/tagged",
                                          .letter = 'b',
                                          .epoch = purge_epoch(s.purge),
                                          .tags = &tag,
                                          .tag_count = 1});
    assert_int_equal(cold_put(s.cold, tagged), 0);
    purge_url(s.purge, "/url", 4);
    purge_tag(s.purge, "t", 1);
    assert_int_equal(purge_prefix(s.purge, "/prefix/", 8), 0);
    end(&s);
    for (int round = 0; round < 3; round++) {
        s = begin();
        assert_int_equal(get(&s, "/url"), 0);
        assert_int_equal(get(&s, "/tagged"), 0);
        assert_int_equal(get(&s, "/prefix/a"), 0);
        assert_int_equal(get(&s, "/kept"), 'a');
        end(&s);
    }
    s = begin();
    purge_all(s.purge);
    end(&s);
    s = begin();
    assert_int_equal(get(&s, "/kept"), 0);
    put(&s, "/url", 'n');
    end(&s);
    s = begin();
    assert_int_equal(get(&s, "/url"), 'n');
    end(&s);
}

static void purge_after_a_restart_covers_pages_of_before(void **state)
{
    struct session s = begin();

    for (int i = 0; i < 50; i++)
        purge_url(s.purge, "/other", 6);
    put(&s, "/a", 'a');
    end(&s);
    s = begin();
    assert_int_equal(get(&s, "/a"), 'a');
    purge_url(s.purge, "/a", 2);
    assert_int_equal(get(&s, "/a"), 0);
    end(&s);
}

static void any_flipped_bit_of_a_kept_epoch_is_seen(void **state)
{
    static const uint64_t epochs[] = {0, 1, 2, 3, 1000, 0x123456789abcull, PURGE_KEPT_MAX};

    (void)state;
    for (size_t i = 0; i < array_len(epochs); i++) {
        uint64_t word = purge_kept_word(epochs[i]);
        uint64_t back = 77;

        assert_true(purge_kept_read(word, &back));
        assert_int_equal(back, epochs[i]);
        for (unsigned bit = 0; bit < 64; bit++)
            assert_false(purge_kept_read(word ^ (uint64_t)1 << bit, &back));
    }
}

/* Of a purge whose word is damaged more may go, never less. */
static void flipped_bit_in_the_purges_brings_nothing_back(void **state)
{
    for (int part = 0; part < 3; part++) {
        struct session s = begin();
        uint64_t start = REGION_PAGE_BYTES;
        unsigned char zero[64] = {0};
        unsigned char found[64];

        put(&s, "/a", 'a');
        put(&s, "/p/a", 'p');
        put(&s, "/b", 'b');
        purge_url(s.purge, "/a", 2);
        assert_int_equal(purge_prefix(s.purge, "/p/", 3), 0);
        end(&s);
        autofd int fd = open(path, O_RDWR);
        /* each line of the purges that is not empty, damaged in a byte */
        for (uint64_t at = start; at < offset_of(REGION_INDEX); at += sizeof found) {
            assert_int_equal(pread(fd, found, sizeof found, (off_t)at), sizeof found);
            if (memcmp(found, zero, sizeof found) == 0)
                continue;
            for (size_t i = 0; i < sizeof found; i += 8)
                if (memcmp(found + i, zero, 8) != 0)
                    flip(at + i + (size_t)part, 3);
        }
        s = begin();
        assert_int_equal(get(&s, "/a"), 0);
        assert_int_equal(get(&s, "/p/a"), 0);
        put(&s, "/a", 'n');
        assert_int_equal(get(&s, "/a"), 'n');
        end(&s);
    }
}

/* Whoever freed only the live one would have the next start refuse all pages of before. */
static void copy_of_a_dead_purgers_prefix_is_cleared(void **state)
{
    const uint32_t dead_pid = 4194303;
    struct session s = begin();
    struct purge_prefix *entry = &s.purge->prefix[0];
    struct purge_prefix *kept =
        (struct purge_prefix *)((unsigned char *)entry + s.purge->kept_offset);

    assert_int_equal(purge_prefix(s.purge, "/p/", 3), 0);
    assert_int_not_equal(kept->epoch, 0);
    /* killed in the middle of the next text */
    entry->version |= dead_pid;
    kept->version = 0;
    assert_int_equal(purge_reap(s.purge, dead_pid), 1);
    assert_int_equal(kept->epoch, 0);
    put(&s, "/after", 'a');
    assert_int_equal(get(&s, "/after"), 'a');
    end(&s);
    s = begin();
    assert_int_equal(get(&s, "/after"), 'a');
    end(&s);
}

static void flipped_bits_in_pages_are_misses(void **state)
{
    struct session s = begin();
    char url[16];
    unsigned missed = 0;

    for (int i = 0; i < 100; i++) {
        (void)snprintf(url, sizeof url, "/%d", i);
        put(&s, url, 'a');
    }
    end(&s);
    for (uint64_t at = offset_of(REGION_SEGMENTS); at < offset_of(REGION_SECTIONS); at += 50000)
        flip(at, at / 50000 % 8);
    s = begin();
    for (int i = 0; i < 100; i++) {
        char letter;

        (void)snprintf(url, sizeof url, "/%d", i);
        letter = get(&s, url);
        assert_true(letter == 0 || letter == 'a');
        missed += letter == 0;
    }
    assert_in_range(missed, 5, 30);
    end(&s);
}

static void file_cut_short_serves_the_rest(void **state)
{
    struct session s = begin();
    unsigned kept = 0;
    char url[16];

    for (int i = 0; i < 100; i++) {
        (void)snprintf(url, sizeof url, "/%d", i);
        put(&s, url, 'a');
    }
    end(&s);
    assert_int_equal(truncate(path, (off_t)(offset_of(REGION_SEGMENTS) + 200000)), 0);
    s = begin();
    assert_int_equal(s.report.found, REGION_CUT);
    for (int i = 0; i < 100; i++) {
        (void)snprintf(url, sizeof url, "/%d", i);
        kept += get(&s, url) == 'a';
    }
    assert_in_range(kept, 20, 60);
    for (int i = 0; i < 100; i++)
        put(&s, "/n", 'n');
    assert_int_equal(get(&s, "/n"), 'n');
    end(&s);
    for (uint64_t cut = offset_of(REGION_SEGMENTS); cut > sizeof(struct region_file);
         cut = cut * 2 / 3) {
        assert_int_equal(truncate(path, (off_t)cut), 0);
        s = begin();
        assert_int_equal(s.report.found, REGION_CUT);
        put(&s, "/n", 'n');
        assert_int_equal(get(&s, "/n"), 'n');
        end(&s);
    }
    assert_int_equal(truncate(path, 50), 0); /* nothing to know it by */
    s = begin();
    assert_int_equal(s.report.found, REGION_OTHER);
    end(&s);
}

static void file_cut_short_while_mapped_costs_pages_only(void **state)
{
    struct session s = begin();
    uint64_t epoch;

    put(&s, "/a", 'a');
    put(&s, "/b", 'b');
    purge_url(s.purge, "/b", 2);
    assert_int_equal(region_file_faults(s.region), 0);
    assert_int_equal(truncate(path, 0), 0);
    (void)get(&s, "/a");
    assert_true(region_file_faults(s.region) > 0);
    assert_int_equal(get(&s, "/b"), 0);
    for (int i = 0; i < 300; i++) {
        int rc = try_put(&s, "/n", 'n'); /* there may be no room to be had any more */
        char letter = get(&s, "/n");

        assert_true(rc == 0 || rc == -EAGAIN);
        assert_true(letter == 0 || letter == 'n');
    }
    epoch = purge_epoch(s.purge);
    purge_url(s.purge, "/n", 2);
    assert_int_equal(purge_epoch(s.purge), epoch + 1);
    assert_int_equal(get(&s, "/n"), 0);
    region_sync(s.region);
    end(&s);
    assert_int_equal(truncate(path, 0), 0);
    s = begin();
    assert_int_equal(s.report.found, REGION_NEW);
    end(&s);
}

static void time_goes_on_when_the_wall_clock_was_put_back(void **state)
{
    struct session s = begin();
    uint64_t ahead = wall_ms() + 3600 * 1000;
    uint64_t word = purge_kept_word(ahead);

    put(&s, "/a", 'a');
    end(&s);
    patch(offsetof(struct region_file, clock_ms), &word, sizeof word);
    s = begin();
    assert_int_equal(s.report.found, REGION_KEPT);
    assert_true(region_now_ms(s.region) >= ahead);
    assert_int_equal(get(&s, "/a"), 'a');
    end(&s);
    word = purge_kept_word(wall_ms() + UINT64_C(50) * 3600 * 1000);
    patch(offsetof(struct region_file, clock_ms), &word, sizeof word);
    s = begin();
    assert_int_equal(s.report.found, REGION_AHEAD);
    assert_true(region_now_ms(s.region) < ahead);
    assert_int_equal(get(&s, "/a"), 0);
    end(&s);
}

static void after_a_power_cut_nothing_is_believed(void **state)
{
    struct session s = begin();

    put(&s, "/a", 'a');
    end(&s);
    patch(offsetof(struct region_file, boot), "another boot", 12);
    s = begin();
    assert_int_equal(s.report.found, REGION_UNSYNCED);
    assert_int_equal(get(&s, "/a"), 0);
    put(&s, "/a", 'n');
    region_sync(s.region);
    end(&s);
    patch(offsetof(struct region_file, boot), "another boot", 12);
    s = begin();
    assert_int_equal(s.report.found, REGION_KEPT);
    assert_int_equal(get(&s, "/a"), 'n');
    end(&s);
    patch(offsetof(struct region_file, boot), "a third one.", 12);
    s = begin(); /* it was in use again, and not written out */
    assert_int_equal(s.report.found, REGION_UNSYNCED);
    end(&s);
}

static void same_bundle_has_the_same_edition_again(void **state)
{
    struct session s = begin();
    uint64_t before = 77;
    uint64_t edition = region_first_edition(s.region, 11, &before);

    assert_int_equal(before, 0);
    assert_int_not_equal(edition, 0);
    region_note_edition(s.region, 11, edition);
    end(&s);
    s = begin();
    assert_int_equal(region_first_edition(s.region, 11, &before), edition);
    assert_int_equal(before, 0);
    assert_int_not_equal(region_first_edition(s.region, 12, &before), edition);
    assert_int_equal(before, edition);
    end(&s);
    flip(offsetof(struct region_file, edition), 1);
    s = begin();
    assert_int_not_equal(region_first_edition(s.region, 11, &before), edition);
    assert_int_equal(before, 0);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_outlive_the_processes),
        TEST(segment_held_by_the_dead_can_be_had_again),
        TEST(purged_stays_purged),
        TEST(purge_after_a_restart_covers_pages_of_before),
        TEST(any_flipped_bit_of_a_kept_epoch_is_seen),
        TEST(flipped_bit_in_the_purges_brings_nothing_back),
        TEST(copy_of_a_dead_purgers_prefix_is_cleared),
        TEST(flipped_bits_in_pages_are_misses),
        TEST(file_cut_short_serves_the_rest),
        TEST(file_cut_short_while_mapped_costs_pages_only),
        TEST(time_goes_on_when_the_wall_clock_was_put_back),
        TEST(after_a_power_cut_nothing_is_believed),
        TEST(same_bundle_has_the_same_edition_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
