/* SPDX-License-Identifier: MIT */
/*
 * region_guard.c - the handler of SIGBUS for the part of the region that is a file's. A file that
 * somebody cuts short while it is mapped, or a disk that fails, ends in a SIGBUS at the next touch: in
 * every worker, in each of their successors, and in the master. Instead the page is replaced, in the
 * process that met it, by an empty one of its own.
 *
 * Why that is safe: an empty page is a state that any process could find anyway. Index words of zero
 * name nothing; a segment's word of zero is SEALED; bytes of a page that are zero fail its check. What
 * this process then writes there others do not see, so the cache misses more, and two workers may
 * both hold "the same" segment: where its bytes are shared still, they overwrite each other's pages,
 * and checksums, which are looked at in each copy, drop the torn ones. What must never be torn apart,
 * the purges that hold now, is not in the file (the file has a copy for the next start).
 * The count in the header, which is not in the file either, is how the master hears of it.
 *
 * mmap() is not in POSIX's list of functions safe in handlers; on Linux it is a bare system call.
 */
#include "shm/region_guard.h"

#include "shm/region_map.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

/* Tests have more than one region. */
#define GUARDED_MAX 4

static struct {
    uintptr_t start; /* 0: free */
    uintptr_t end;
    struct region_header *header;
} guarded[GUARDED_MAX];

static bool replace_page(uintptr_t at)
{
    for (size_t i = 0; i < GUARDED_MAX; i++) {
        void *page = (void *)(at & ~(uintptr_t)(REGION_PAGE_BYTES - 1));

        if (guarded[i].start == 0 || at < guarded[i].start || at >= guarded[i].end)
            continue;
        (void)atomic_fetch_add_explicit(&guarded[i].header->file_faults, 1, memory_order_relaxed);
        return mmap(page, REGION_PAGE_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page;
    }
    return false;
}

static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
    int error = errno;

    (void)context;
    if (!replace_page((uintptr_t)info->si_addr)) /* somebody else's: the next try is fatal */
        (void)signal(signal_number, SIG_DFL);
    errno = error;
}

void region_guard_add(const struct region *region)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_NODEFER};
    uintptr_t base = (uintptr_t)region->header;

    for (size_t i = 0; i < GUARDED_MAX; i++) {
        if (guarded[i].start != 0)
            continue;
        guarded[i].header = region->header;
        guarded[i].end = base + region->bytes;
        guarded[i].start = base + region->header->section_offset[REGION_FILE];
        break;
    }
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGBUS, &action, NULL);
}

void region_guard_remove(const struct region *region)
{
    for (size_t i = 0; i < GUARDED_MAX; i++) {
        if (guarded[i].start != 0 && guarded[i].header == region->header)
            guarded[i].start = 0;
    }
}
