/* SPDX-License-Identifier: MIT */
/* cache_file.c - see cache_file.h. The text for what shm/region.h says in numbers. */
#include "master/cache_file.h"

#include "shm/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ORPHANS_MS 15000u /* they leave 10 s after their master's death, or earlier */
#define LOOK_MS 50

/* NULL: what the system says has to do. */
static const char *what_to_do(int error)
{
    switch (error) {
    case -EADDRINUSE:
        return "another ssrd uses it: give each server a file of its own";
    case -EAGAIN:
        return "workers of an ssrd that was killed use it still: wait for them to leave, or kill "
               "them";
    case -EPERM:
        return "it belongs to another user, or others may write it: it must be this user's, mode "
               "0600";
    case -EACCES:
        return "not to be read and written by this user: change its permissions or those of its "
               "folder";
    case -ELOOP:
        return "a symbolic link: name the file itself";
    case -EISDIR:
        return "a directory: name a file in it";
    case -ENOTBLK:
        return "not a regular file: name one on a disk, or one that is not there yet";
    case -ENODEV:
        return "a file of the kernel's, which keeps nothing: name one on a disk";
    case -ENOTDIR:
        return "what should be its folder is a file: name a file in a folder";
    case -ENAMETOOLONG:
        return "its name is too long: choose a shorter one";
    case -EROFS:
        return "its file system is read-only: name a file where this user may write";
    case -ENOLCK:
    case -EOPNOTSUPP:
        return "its file system has no locks, or can't give it room: name a file on a local disk";
    case -EIO:
        return "can't be read or written: its disk fails, see the kernel's log, or name another "
               "file";
    case -EMFILE:
    case -ENFILE:
        return "no descriptor is left: raise the limit (ulimit -n)";
    case -ENOMEM:
        return "no memory to map it: lower cache.cold";
    case -ENOENT:
        return "its folder does not exist: create it";
    case -EEXIST:
        return "of another version or size, and FILE.old to FILE.old9 are taken: remove some";
    case -ENOSPC:
    case -EDQUOT:
        return "no room for it: lower cache.cold, or make room";
    case -EFBIG:
        return "larger than files may be here: lower cache.cold, or raise the limit";
    default:
        return NULL;
    }
}

static void tell_found(const char *path, const struct region_report *report)
{
    switch (report->found) {
    case REGION_NEW:
        log_info("cache file made", log_str("file", path));
        break;
    case REGION_KEPT:
        log_info("cache file: pages of the last time are kept", log_str("file", path));
        break;
    case REGION_CUT:
        log_warn("cache file was cut short: goes on with the pages that are left",
                 log_str("file", path));
        break;
    case REGION_OTHER:
        log_warn("cache file is of another version or size, or none: set aside, a new one is made",
                 log_str("file", path), log_str("now", report->aside));
        break;
    case REGION_UNSYNCED:
        log_warn("cache file was in use when the machine went down: goes on without its pages",
                 log_str("file", path));
        break;
    case REGION_AHEAD:
        log_warn(
            "cache file is of a day that has not come yet: goes on without its pages, whose age is "
            "not known; check the clock",
            log_str("file", path));
        break;
    }
}

static int open_waiting(const struct region_sizes *sizes, const char *path,
                        struct region **ret_region, struct region_report *report)
{
    const struct timespec look = {0, LOOK_MS * 1000000};
    uint64_t until_ms = mono_ms() + ORPHANS_MS;
    bool told = false;
    int rc;

    while ((rc = region_open(sizes, path, ret_region, report)) == -EAGAIN && mono_ms() < until_ms) {
        if (!told)
            log_info("cache file: waiting for workers of a killed ssrd to leave",
                     log_str("file", path));
        told = true;
        (void)nanosleep(&look, NULL);
    }
    return rc;
}

int cache_file_open(const struct config *config, struct region **ret_region, char *problem,
                    size_t cap)
{
    const struct region_sizes sizes = {config->cache.cold_bytes, config->cache.max_object_bytes};
    const char *path = config->cache.file;
    struct region_report report;
    int rc;

    if (path[0] == '\0') {
        rc = region_create(&sizes, ret_region);
        if (rc != 0)
            (void)snprintf(problem, cap,
                           "no shared memory for a cold cache of %llu MiB (%s): lower cache.cold",
                           (unsigned long long)(config->cache.cold_bytes / MIB), strerror(-rc));
        return rc;
    }
    rc = open_waiting(&sizes, path, ret_region, &report);
    if (rc == 0)
        tell_found(path, &report);
    else if (what_to_do(rc) != NULL)
        (void)snprintf(problem, cap, "cache.file: %s: %s", path, what_to_do(rc));
    else
        (void)snprintf(problem, cap, "cache.file: %s: can't be used (%s): name another file", path,
                       strerror(-rc));
    return rc;
}

void cache_file_tick(struct region *region)
{
    static bool told;

    region_note_clock(region);
    if (told || region_file_faults(region) == 0)
        return;
    told = true;
    log_error(
        "cache file: a part of it can't be read or written: somebody cut it short, or its disk "
        "fails; pages are lost and no longer shared there, restart ssrd with a whole file");
}
