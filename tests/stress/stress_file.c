/* SPDX-License-Identifier: MIT */
/*
 * stress_file.c - a master with a cache file dies once, is stopped and dies once, and is stopped and goes on once, at every point of
 * shm/fault_points.def that is about the file, with every kind of file that it may find; then the next master
 * opens it. What must hold: README.md, "The cache file". A point that no kind of file leads to is a failure.
 */
#include "shm/cold.h"
#include "shm/fault.h"
#include "shm/peers.h"
#include "shm/purge.h"
#include "shm/purge_map.h"
#include "shm/region_file.h"
#include "tests/unit/sample_page.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NOT_REACHED 3
#define DEAD_PID 4194303u
#define OLD_EDITION 7
#define OLD_IDENTITY 1
#define NEW_IDENTITY 2

/* What the victim finds under the name. */
enum kind { NONE, KEPT, CUT, OTHER_SIZE, OTHER_BOOT, KINDS };
static const char *const kind_name[KINDS] = {"none", "kept", "cut", "of another size",
                                             "of another boot"};
enum end { KILLED, STOPPED_THEN_KILLED, STOPPED_THEN_WENT_ON, ENDS };
static const char *const end_name[ENDS] = {"killed", "stopped, then killed",
                                           "stopped, then went on"};

/* The victim's purges, in order. */
enum purge_step { BY_URL, BY_TAG, BY_PREFIX, PURGES };
static const char *const purged_url[PURGES] = {"/url", "/tagged", "/prefix/a"};

/* Shared with the victim. */
struct stage {
    _Atomic uint32_t returned; /* of its purges */
    _Atomic uint32_t has_reaped;
};

struct scene {
    enum fault_point point;
    enum kind kind;
    enum end end;
    uint64_t nth;
    struct stage *stage;
    bool failed;
};

static const struct region_sizes sizes = {.cold_bytes = MIB, .max_object_bytes = 64 * KIB};
static char folder[64];
static char path[PATH_MAX];

struct session {
    struct region *region;
    struct cold *cold;
    struct purge *purge;
    struct region_report report;
};

static void fail(struct scene *s, const char *what)
{
    if (!s->failed)
        (void)printf("%s, %s, file %s, time %llu: %s\n", fault_name(s->point), end_name[s->end],
                     kind_name[s->kind], (unsigned long long)s->nth, what);
    s->failed = true;
}

static int begin(struct session *session, const struct region_sizes *of)
{
    int rc = region_open(of, path, &session->region, &session->report);

    if (rc != 0)
        return rc;
    if (cold_open(session->region, REGION_PEERS_MAX, &session->cold) != 0)
        abort();
    session->purge = purge_of(session->region);
    return 0;
}

static void end(struct session *session)
{
    cold_close(session->cold);
    region_close(session->region);
}

static void put(const struct session *session, const char *url, char letter)
{
    struct span tag = {"t", 1};
    autofree struct page *page =
        sample_page(&(struct sample){.path = url,
                                     .letter = letter,
                                     .body_bytes = 3000,
                                     .epoch = purge_epoch(session->purge),
                                     .stored_ms = region_now_ms(session->region),
                                     .tags = &tag,
                                     .tag_count = strcmp(url, "/tagged") == 0});

    (void)cold_put(session->cold, page);
}

/* The page's letter; 0: a miss. */
static char get(const struct session *session, const char *url)
{
    autofree struct page *page = NULL;
    struct cold_ref ref;

    if (cold_find(session->cold, url, strlen(url), sample_hash(url), &ref) != 0)
        return 0;
    page = malloc(ref.page_bytes);
    if (page == NULL || cold_copy(session->cold, &ref, url, strlen(url), page) != 0)
        return 0;
    for (char letter = 'a'; letter <= 'z'; letter++)
        if (sample_is(page, letter))
            return letter;
    return '?';
}

/* --- before ------------------------------------------------------------------------------- */

static void remove_files(void)
{
    static const char *const names[] = {"cache", "cache.old", "cache.old2"};
    char name[PATH_MAX];

    for (size_t i = 0; i < array_len(names); i++) {
        (void)snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        (void)unlink(name);
    }
}

static bool is_set_aside(void)
{
    char name[PATH_MAX + 8];

    (void)snprintf(name, sizeof name, "%s.old", path);
    return access(name, F_OK) == 0;
}

/* "/old" is to be kept, "/gone" was purged. */
static void make_file(const struct scene *s)
{
    static const struct region_sizes other = {.cold_bytes = 2 * MIB, .max_object_bytes = 64 * KIB};
    struct session session;
    struct stat st;

    remove_files();
    if (s->kind == NONE)
        return;
    if (begin(&session, s->kind == OTHER_SIZE ? &other : &sizes) != 0)
        abort();
    put(&session, "/gone", 'g');
    put(&session, "/old", 'o');
    purge_url(session.purge, "/gone", 5);
    region_note_edition(session.region, OLD_IDENTITY, OLD_EDITION);
    end(&session);
    if (s->kind == CUT && (stat(path, &st) != 0 || truncate(path, st.st_size - 8192) != 0))
        abort();
    if (s->kind == OTHER_BOOT) {
        autofd int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (pwrite(fd, "another", 7, offsetof(struct region_file, boot)) != 7)
            abort();
    }
}

/* --- the victim --------------------------------------------------------------------------- */

/* A purger was killed while it wrote a prefix; the master reaps it. */
static void reap_a_purger(const struct session *session)
{
    struct purge *purge = session->purge;
    struct purge_prefix *entry = &purge->prefix[0];
    struct purge_prefix *kept =
        (struct purge_prefix *)((unsigned char *)entry + purge->kept_offset);

    (void)atomic_fetch_or_explicit(&entry->version, DEAD_PID, memory_order_relaxed);
    atomic_store_explicit(&kept->version, 0, memory_order_relaxed);
    (void)purge_reap(purge, DEAD_PID);
}

/* All that a master and its workers do with a file. */
static void play_victim(const struct scene *s)
{
    struct session session;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    fault_arm(s->point, s->nth, s->end == KILLED ? SIGKILL : SIGSTOP);
    if (begin(&session, &sizes) != 0)
        _exit(NOT_REACHED);
    for (int i = 0; i < PURGES; i++)
        put(&session, purged_url[i], 'p');
    purge_url(session.purge, "/url", 4);
    atomic_store_explicit(&s->stage->returned, BY_URL + 1, memory_order_relaxed);
    purge_tag(session.purge, "t", 1);
    atomic_store_explicit(&s->stage->returned, BY_TAG + 1, memory_order_relaxed);
    if (purge_prefix(session.purge, "/prefix/", 8) == 0)
        atomic_store_explicit(&s->stage->returned, BY_PREFIX + 1, memory_order_relaxed);
    put(&session, "/late", 'l');
    region_note_clock(session.region);
    region_note_edition(session.region, NEW_IDENTITY, OLD_EDITION + 1);
    region_sync(session.region);
    atomic_store_explicit(&s->stage->has_reaped, 1, memory_order_relaxed);
    reap_a_purger(&session); /* last: it costs all pages older than the purge that died */
    end(&session);
    _exit(s->end == STOPPED_THEN_WENT_ON ? 0 : NOT_REACHED);
}

/* False: it did not get to the point. */
static bool act(struct scene *s)
{
    struct session second;
    pid_t victim = fork();
    int status = 0;
    int rc;

    if (victim < 0)
        abort();
    if (victim == 0)
        play_victim(s);
    (void)waitpid(victim, &status, WUNTRACED);
    if (s->end == KILLED ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL
                         : !WIFSTOPPED(status))
        return false;
    if (s->end == KILLED)
        return true;
    /* a file that is set aside has left its name to whoever comes first */
    if (s->point != FAULT_file_set_aside) {
        rc = begin(&second, &sizes);
        if (rc == 0)
            fail(s, "a second master has the file while the first is stopped");
        else if (rc != -EADDRINUSE && rc != -EAGAIN)
            fail(s, "a second master is refused for another reason");
    }
    (void)kill(victim, s->end == STOPPED_THEN_KILLED ? SIGKILL : SIGCONT);
    (void)waitpid(victim, &status, 0);
    if (s->end == STOPPED_THEN_WENT_ON && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        fail(s, "the victim did not go on");
    return true;
}

/* --- the next master ---------------------------------------------------------------------- */

/* May what was there before be lost? A prefix whose text is half written may cover anything. */
static bool keeps_old(const struct scene *s)
{
    return s->kind == KEPT &&
           atomic_load_explicit(&s->stage->has_reaped, memory_order_relaxed) == 0 &&
           s->point != FAULT_kept_text_half && s->point != FAULT_kept_text_unchecked;
}

static void check_pages(struct scene *s, const struct session *session)
{
    uint32_t returned = atomic_load_explicit(&s->stage->returned, memory_order_relaxed);
    char old = get(session, "/old");
    char late = get(session, "/late");

    if (get(session, "/gone") != 0)
        fail(s, "a page purged before is back");
    for (uint32_t i = 0; i < returned; i++)
        if (get(session, purged_url[i]) != 0)
            fail(s, "a page is back whose purge had returned");
    if (old != 0 && old != 'o')
        fail(s, "a page of before is not itself");
    if (late != 0 && late != 'l')
        fail(s, "a page of the victim's is not itself");
    if (old == 0 && keeps_old(s))
        fail(s, "a page of before is lost");
    if (old != 0 && (s->kind == OTHER_SIZE || s->kind == OTHER_BOOT))
        fail(s, "a page of a file that is not believed");
}

static void check_edition(struct scene *s, const struct session *session)
{
    uint64_t before;

    if (region_first_edition(session->region, NEW_IDENTITY, &before) == OLD_EDITION)
        fail(s, "the pages of one bundle are taken for another's");
}

/* What is stored, and purged, from now on is so for good. */
static void check_goes_on(struct scene *s)
{
    struct session session;

    if (begin(&session, &sizes) != 0)
        return fail(s, "the file can't be opened a third time");
    if (session.report.found != REGION_KEPT)
        fail(s, "the next one's file is not kept");
    if (get(&session, "/new") != 'n')
        fail(s, "a page of the next one's is lost");
    if (get(&session, "/new/purged") != 0)
        fail(s, "a page that the next one purged is back");
    check_pages(s, &session);
    end(&session);
}

static void check(struct scene *s)
{
    struct session session;

    if (begin(&session, &sizes) != 0)
        return fail(s, "the next one can't open the file");
    check_pages(s, &session);
    check_edition(s, &session);
    put(&session, "/new", 'n');
    put(&session, "/new/purged", 'm');
    if (get(&session, "/new") != 'n' || get(&session, "/new/purged") != 'm')
        fail(s, "the next one can store nothing");
    purge_url(session.purge, "/new/purged", 11);
    end(&session);
    check_goes_on(s);
    if (is_set_aside() != (s->kind == OTHER_SIZE))
        fail(s, "the wrong file was set aside, or none");
}

/* Returns how many kinds of file led to the point. */
static unsigned play_point(enum fault_point point, enum end how, uint64_t nth, unsigned *failed)
{
    static struct stage *stage;
    unsigned reached = 0;

    if (stage == NULL)
        stage =
            mmap(NULL, sizeof *stage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (stage == MAP_FAILED)
        abort();
    for (int kind = 0; kind < KINDS; kind++) {
        struct scene s = {
            .point = point, .kind = (enum kind)kind, .end = how, .nth = nth, .stage = stage};

        memset((void *)stage, 0, sizeof *stage);
        make_file(&s);
        if (!act(&s))
            continue;
        reached++;
        check(&s);
        *failed += s.failed;
    }
    return reached;
}

int main(int argc, char **argv)
{
    const char *only = argc == 3 && strcmp(argv[1], "--only") == 0 ? argv[2] : NULL;
    unsigned points = 0, scenes = 0, failed = 0;

    if (argc != 1 && only == NULL) {
        (void)fprintf(stderr, "stress_file [--only POINT]\n");
        return 64;
    }
    /* in memory where that can be: hundreds of files are written out, and no machine goes down here */
    (void)snprintf(folder, sizeof folder, "/dev/shm/ssrd-stress-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        (void)snprintf(folder, sizeof folder, "/tmp/ssrd-stress-XXXXXX");
        if (mkdtemp(folder) == NULL)
            return 71;
    }
    (void)snprintf(path, sizeof path, "%s/cache", folder);
    for (int point = 0; point < FAULT_POINTS; point++) {
        if (fault_by((enum fault_point)point) != FAULT_BY_KEEPER ||
            (only != NULL && strcmp(only, fault_name((enum fault_point)point)) != 0))
            continue;
        points++;
        for (int end = 0; end < ENDS; end++) {
            unsigned first = play_point((enum fault_point)point, (enum end)end, 1, &failed);

            scenes += first;
            if (end == KILLED) /* where there are many passages, a later one too */
                scenes += play_point((enum fault_point)point, KILLED, 42, &failed);
            if (first == 0) {
                (void)printf("%s is not reached\n", fault_name((enum fault_point)point));
                failed++;
            }
        }
        (void)fflush(stdout);
    }
    remove_files();
    (void)rmdir(folder);
    (void)printf("%s points=%u scenes=%u failed=%u\n", failed == 0 && scenes > 0 ? "ok" : "FAILED",
                 points, scenes, failed);
    return failed != 0 || scenes == 0;
}
