/* SPDX-License-Identifier: MIT */
/*
 * region_file.c - see region_file.h. Leans on the rule that bytes of a region are foreign: what is put
 * right here is only what readers can't judge for themselves (who holds a segment, which purges hold,
 * what time it is, whose the pages are). Index words, pages, fills are judged where they are read.
 *
 * Two locks, both on the open file description (F_OFD_SETLK), of a byte each, held as long as the
 * description is open or mapped by anybody:
 *   byte 0, by lock_fd, which only the master has: another master has the file;
 *   byte 1, by file_fd, which is mapped, so every child holds it by its mapping: workers that
 *   outlive a killed master write to the file still, and a new master must wait for them to go.
 */
#include "shm/region_file.h"

#include "shm/fault.h"
#include "shm/index.h"
#include "shm/page.h"
#include "shm/purge.h"
#include "shm/purge_kept.h"
#include "shm/region_guard.h"
#include "shm/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define ASIDE_MAX 9 /* names that are tried: FILE.old, FILE.old2 … */
#define AHEAD_MAX_MS (24 * UINT64_C(3600000))
#define IDENTITY_SEED 0x65646974u
/* file systems that <linux/magic.h> does not have */
#define CONFIGFS_KIND 0x62656570u
#define MQUEUE_KIND 0x19800202u

enum { LOCK_MASTER, LOCK_MAPPED };

static uint64_t purge_offset(void)
{
    return REGION_PAGE_BYTES;
}

size_t region_file_section_bytes(void)
{
    static_assert(sizeof(struct region_file) <= REGION_PAGE_BYTES, "a page of its own");
    return purge_offset() + purge_section_bytes();
}

static uint64_t file_bytes(const struct region_header *header)
{
    return header->bytes - header->section_offset[REGION_FILE];
}

static void layout_of(const struct region_header *header, struct region_layout *ret_layout)
{
    *ret_layout = (struct region_layout){
        .magic = REGION_MAGIC,
        .version = REGION_VERSION,
        .page_struct_bytes = sizeof(struct page),
        .purge_bytes = purge_section_bytes(),
        .cold_bytes = header->cold_bytes,
        .slots = header->slots,
        .segments = header->segments,
        .segment_bytes = header->segment_bytes,
        .bytes = file_bytes(header),
    };
    for (int i = REGION_FILE; i < REGION_SECTIONS; i++)
        ret_layout->offset[i - REGION_FILE] =
            header->section_offset[i] - header->section_offset[REGION_FILE];
}

static struct region_file *file_of(const struct region *region)
{
    return region->file_fd >= 0 ? region_at(region, REGION_FILE) : NULL;
}

/* --- taking it ---------------------------------------------------------------------------- */

static int lock_byte(int fd, off_t byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return 0;
    return errno == EAGAIN || errno == EACCES ? -EAGAIN : -errno;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Who else can write it could put pages of his own into it. */
static int check_owner(const struct stat *st)
{
    if (S_ISDIR(st->st_mode))
        return -EISDIR;
    if (!S_ISREG(st->st_mode))
        return -ENOTBLK;
    return st->st_uid != geteuid() || (st->st_mode & (S_IWGRP | S_IWOTH)) != 0 ? -EPERM : 0;
}

/*
 * Files of the kernel's look like any empty one, and what is written to them does something: the layout written to
 * /proc/sys/kernel/hostname renamed the machine.
 */
static bool is_kernels(int fd)
{
    static const uint32_t kinds[] = {
        PROC_SUPER_MAGIC, SYSFS_MAGIC,       CGROUP_SUPER_MAGIC,   CGROUP2_SUPER_MAGIC,
        DEBUGFS_MAGIC,    TRACEFS_MAGIC,     EFIVARFS_MAGIC,       SECURITYFS_MAGIC,
        SELINUX_MAGIC,    SMACK_MAGIC,       PSTOREFS_MAGIC,       BPF_FS_MAGIC,
        BINFMTFS_MAGIC,   XENFS_SUPER_MAGIC, RDTGROUP_SUPER_MAGIC, CONFIGFS_KIND,
        MQUEUE_KIND,      NSFS_MAGIC,        DEVPTS_SUPER_MAGIC};
    struct statfs fs;

    if (fstatfs(fd, &fs) != 0)
        return false;
    for (size_t i = 0; i < array_len(kinds); i++) {
        if ((uint32_t)fs.f_type == kinds[i])
            return true;
    }
    return false;
}

/* flags: O_EXCL or 0. Both descriptors are open and locked, or none. */
static int open_locked(const char *path, int flags, struct region_file_handle *ret_file,
                       struct stat *ret_stat)
{
    /* O_NONBLOCK: a FIFO would wait */
    const int common = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    autofd int lock_fd = open(path, common | O_CREAT | flags, 0600);
    autofd int file_fd = -1;
    struct stat again;
    int rc;

    if (lock_fd < 0 || fstat(lock_fd, ret_stat) != 0)
        return errno == ENXIO ? -ENOTBLK : -errno;
    rc = check_owner(ret_stat);
    if (rc == 0 && is_kernels(lock_fd))
        rc = -ENODEV;
    if (rc != 0)
        return rc;
    rc = lock_byte(lock_fd, LOCK_MASTER);
    if (rc != 0)
        return rc == -EAGAIN ? -EADDRINUSE : rc;
    file_fd = open(path, common);
    if (file_fd < 0 || fstat(file_fd, &again) != 0)
        return -errno;
    if (!same_file(ret_stat, &again)) /* somebody was faster, and has set ours aside */
        return -EADDRINUSE;
    rc = lock_byte(file_fd, LOCK_MAPPED);
    if (rc != 0)
        return rc;
    /* its size may have changed until the lock was ours */
    if (fstat(lock_fd, ret_stat) != 0)
        return -errno;
    FAULT(file_locked);
    ret_file->lock_fd = take_fd(lock_fd);
    ret_file->file_fd = take_fd(file_fd);
    return 0;
}

void region_file_give_back(const struct region_file_handle *file)
{
    (void)close(file->lock_fd);
    (void)close(file->file_fd);
}

/* Give it another name; it is ours, so nobody else does this now. */
static int set_aside(const char *path, char aside[static REGION_ASIDE_BYTES])
{
    for (int i = 1; i <= ASIDE_MAX; i++) {
        char number[12] = "";

        if (i > 1)
            (void)snprintf(number, sizeof number, "%d", i);
        if (snprintf(aside, REGION_ASIDE_BYTES, "%s.old%s", path, number) >= REGION_ASIDE_BYTES)
            return -ENAMETOOLONG;
        if (renameat2(AT_FDCWD, path, AT_FDCWD, aside, RENAME_NOREPLACE) == 0) {
            FAULT(file_set_aside);
            return 0;
        }
        if (errno == EINVAL && access(aside, F_OK) != 0) /* a file system without that flag */
            return rename(path, aside) == 0 ? 0 : -errno;
        if (errno != EEXIST && errno != EINVAL)
            return -errno;
    }
    return -EEXIST;
}

/* Room for all of it: a hole could be a SIGBUS later. What is there stays as it is. */
static int allocate(int fd, uint64_t bytes, uint64_t available_bytes)
{
    struct statfs fs;
    struct stat st;
    int rc;

    if (bytes > INT64_MAX)
        return -EFBIG;
    /* A file system in memory may promise more than there is. */
    if (fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC && fstat(fd, &st) == 0 &&
        bytes > (uint64_t)st.st_blocks * 512 + available_bytes)
        return -ENOSPC;
    do {
        rc = posix_fallocate(fd, 0, (off_t)bytes);
    } while (rc == EINTR);
    return -rc;
}

static int write_layout(int fd, const struct region_layout *layout)
{
    ssize_t n = pwrite(fd, layout, sizeof *layout, 0);

    return n == (ssize_t)sizeof *layout ? 0 : n < 0 ? -errno : -EIO;
}

/* Does the file begin with this very layout? */
static bool fits(int fd, const struct region_layout *layout)
{
    struct region_layout found;

    return pread(fd, &found, sizeof found, 0) == (ssize_t)sizeof found &&
           memcmp(&found, layout, sizeof found) == 0;
}

/*
 * A file that was not there before; without room for it, it is not there afterwards. First it says what it is: whoever is
 * killed before it has its length leaves one that was "cut short", and not one to be set aside.
 */
static int make_new(const char *path, const struct region_layout *layout, uint64_t available_bytes,
                    const struct region_file_handle *file)
{
    int rc = write_layout(file->file_fd, layout);

    FAULT(file_laid_out);
    if (rc == 0)
        rc = allocate(file->file_fd, layout->bytes, available_bytes);
    FAULT(file_allocated);
    if (rc != 0) {
        (void)unlink(path);
        region_file_give_back(file);
    }
    return rc;
}

/* Another version's, or no cache at all: nothing of it is changed but its name. */
static int replace(const char *path, const struct region_layout *layout, uint64_t available_bytes,
                   struct region_file_handle *file, struct region_report *report)
{
    struct region_file_handle old = *file;
    struct stat st;
    int rc = set_aside(path, report->aside);

    if (rc == 0) {
        rc = open_locked(path, O_EXCL, file, &st);
        if (rc == 0)
            rc = make_new(path, layout, available_bytes, file);
        else if (rc == -EEXIST)
            rc = -EADDRINUSE;
        if (rc != 0)
            (void)renameat2(AT_FDCWD, report->aside, AT_FDCWD, path, RENAME_NOREPLACE);
    }
    region_file_give_back(&old);
    return rc;
}

int region_file_take(const char *path, const struct region_header *header, uint64_t available_bytes,
                     struct region_file_handle *ret_file, struct region_report *ret_report)
{
    struct region_file_handle file;
    struct region_layout layout;
    struct stat st;
    int rc = open_locked(path, 0, &file, &st);

    if (rc != 0)
        return rc;
    layout_of(header, &layout);
    *ret_report = (struct region_report){.found = REGION_KEPT};
    if (st.st_size == 0) {
        ret_report->found = REGION_NEW;
        rc = make_new(path, &layout, available_bytes, &file);
    } else if (!fits(file.file_fd, &layout)) {
        ret_report->found = REGION_OTHER;
        rc = replace(path, &layout, available_bytes, &file, ret_report);
    } else {
        if ((uint64_t)st.st_size < layout.bytes)
            ret_report->found = REGION_CUT;
        rc = allocate(file.file_fd, layout.bytes, available_bytes);
        if (rc != 0)
            region_file_give_back(&file);
    }
    if (rc == 0)
        *ret_file = file;
    return rc;
}

int region_file_map(struct region *region, const struct region_file_handle *file)
{
    unsigned char *at =
        (unsigned char *)region->header + region->header->section_offset[REGION_FILE];
    void *mapped = mmap(at, file_bytes(region->header), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_FIXED, file->file_fd, 0);

    if (mapped == MAP_FAILED)
        return -errno;
    region->file_fd = file->file_fd;
    region->lock_fd = file->lock_fd;
    return 0;
}

/* --- what is in it ------------------------------------------------------------------------ */

/* The kernel's name for this boot; zeroes where it has none to give. */
static void read_boot(char boot[static REGION_BOOT_BYTES])
{
    autofd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    memset(boot, 0, REGION_BOOT_BYTES);
    if (fd < 0 || read(fd, boot, REGION_BOOT_BYTES - 1) < 0)
        memset(boot, 0, REGION_BOOT_BYTES);
}

/*
 * All that was stored to the mapping is in the file as long as the machine runs, whatever is killed.
 * When the machine goes down, the kernel has written some pages of it and not others. A page of the
 * cache that is half written fails its checksum; but the word of a purge that was not written makes
 * purged pages come back. So only what was written out at the end (region_sync()), or belongs to this
 * boot, is believed.
 */
static bool is_synced(const struct region_file *file, const char boot[static REGION_BOOT_BYTES])
{
    uint64_t clean;

    if (boot[0] != '\0' && memcmp(file->boot, boot, REGION_BOOT_BYTES) == 0)
        return true;
    return purge_kept_read(atomic_load_explicit(&file->clean, memory_order_relaxed), &clean) &&
           clean == 1;
}

/* Time goes on from the last moment noted, so that what has expired does not come back when the wall
 * clock was put back meanwhile. False: the difference makes no sense, ages are not known. */
static bool resume_clock(struct region *region, const struct region_file *file)
{
    struct region_header *header = region->header;
    uint64_t last;

    if (!purge_kept_read(atomic_load_explicit(&file->clock_ms, memory_order_relaxed), &last) ||
        last > header->wall_start_ms + AHEAD_MAX_MS)
        return false;
    if (last > header->wall_start_ms)
        header->wall_start_ms = last;
    return true;
}

static struct purge *kept_purge(const struct region *region)
{
    return (struct purge *)((unsigned char *)region_at(region, REGION_FILE) + purge_offset());
}

static void empty(struct region *region)
{
    const struct region_header *header = region->header;

    memset(region_at(region, REGION_INDEX), 0, header->slots * sizeof(uint64_t));
    FAULT(file_index_emptied);
    purge_kept_begin(purge_of(region), kept_purge(region));
}

enum region_found region_file_adopt(struct region *region, enum region_found found)
{
    struct region_file *file = file_of(region);
    struct ring_table *table = region_at(region, REGION_RING);
    char boot[REGION_BOOT_BYTES];

    FAULT(file_adopting);
    read_boot(boot);
    if (found == REGION_NEW || found == REGION_OTHER) {
        ring_init(table, region->header->segments);
        empty(region);
    } else {
        ring_adopt(table, region->header->segments);
        FAULT(file_segments_freed);
        if (!is_synced(file, boot))
            found = REGION_UNSYNCED;
        else if (!resume_clock(region, file))
            found = REGION_AHEAD;
        if (found == REGION_UNSYNCED || found == REGION_AHEAD ||
            !purge_kept_resume(purge_of(region), kept_purge(region)))
            empty(region);
    }
    FAULT(file_purges_known);
    memcpy(file->boot, boot, sizeof boot);
    FAULT(file_boot_noted);
    atomic_store_explicit(&file->clean, 0, memory_order_relaxed);
    FAULT(file_mark_cleared);
    region_note_clock(region);
    /* before any of the rest can change on the disk */
    (void)msync(file, REGION_PAGE_BYTES, MS_SYNC);
    FAULT(file_mark_written);
    return found;
}

void region_sync(struct region *region)
{
    struct region_file *file = file_of(region);

    if (file == NULL || region_file_faults(region) > 0)
        return;
    region_note_clock(region);
    if (msync(file, file_bytes(region->header), MS_SYNC) != 0)
        return;
    FAULT(file_synced);
    atomic_store_explicit(&file->clean, purge_kept_word(1), memory_order_relaxed);
    FAULT(file_marked);
    (void)msync(file, REGION_PAGE_BYTES, MS_SYNC);
}

void region_note_clock(struct region *region)
{
    struct region_file *file = file_of(region);

    if (file == NULL)
        return;
    atomic_store_explicit(&file->clock_ms, purge_kept_word(region_now_ms(region)),
                          memory_order_relaxed);
    FAULT(file_clock_noted);
}

/* --- editions ----------------------------------------------------------------------------- */

static uint64_t edition_check(const struct region_file *file)
{
    uint64_t words[2] = {file->identity, file->edition};

    return XXH3_64bits_withSeed(words, sizeof words, IDENTITY_SEED);
}

uint64_t region_new_edition(void)
{
    uint64_t edition = 0;

    while (edition == 0) {
        if (getrandom(&edition, sizeof edition, 0) != (ssize_t)sizeof edition)
            edition = mono_ns() ^ (uint64_t)getpid() << 40; /* before the kernel's pool is filled */
    }
    return edition;
}

uint64_t region_first_edition(const struct region *region, uint64_t identity, uint64_t *ret_before)
{
    const struct region_file *file = file_of(region);

    *ret_before = 0;
    if (file == NULL || file->edition == 0 || file->check != edition_check(file))
        return region_new_edition();
    if (file->identity == identity)
        return file->edition;
    *ret_before = file->edition;
    return region_new_edition();
}

void region_note_edition(struct region *region, uint64_t identity, uint64_t edition)
{
    struct region_file *file = file_of(region);

    if (file == NULL)
        return;
    file->identity = identity;
    FAULT(file_identity_noted);
    file->edition = edition;
    FAULT(file_edition_noted);
    file->check = edition_check(file);
}
