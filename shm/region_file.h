/* SPDX-License-Identifier: MIT */
/*
 * region_file.h - the cache file: who may have it, whether it fits, what of it may be believed. Used by
 * region.c alone; shared by one master at a time, its children, and those that come after.
 *
 * The file is the region's last sections as they stand in memory: struct region_file (a page), a struct
 * purge as purge_kept.h keeps it, index, ring, segments. What starts anew and why: shm/README.md,
 * "The cache file".
 */
#ifndef SSRD_SHM_REGION_FILE_H
#define SSRD_SHM_REGION_FILE_H

#include "shm/region_map.h"

#define REGION_BOOT_BYTES 40

/* What must be the same for a file to be read at all; compared as bytes, no padding. */
struct region_layout {
    uint64_t magic;
    uint32_t version;
    uint32_t page_struct_bytes; /* struct page: a change of it that forgot the version */
    uint64_t purge_bytes;
    uint64_t cold_bytes;
    uint64_t slots;
    uint32_t segments;
    uint32_t segment_bytes;
    uint64_t offset[REGION_SECTIONS - REGION_FILE]; /* in the file */
    uint64_t bytes;                                 /* of the file */
};
static_assert(sizeof(struct region_layout) ==
                  56 + (REGION_SECTIONS - REGION_FILE) * sizeof(uint64_t),
              "no padding");

struct region_file {
    struct region_layout layout;
    /* written by the master only */
    alignas(CACHE_LINE_BYTES) char boot[REGION_BOOT_BYTES]; /* the kernel's boot_id: since when */
    _Atomic uint64_t clean;    /* purge_kept_word(1): all of it had been written to the disk */
    _Atomic uint64_t clock_ms; /* purge_kept_word() of the cold clock */
    /* the edition that served last */
    alignas(CACHE_LINE_BYTES) uint64_t identity;
    uint64_t edition;
    uint64_t check; /* of the two above; wrong: as if none had served */
};

struct region_file_handle {
    int lock_fd; /* holds the master's lock */
    int file_fd; /* to be mapped; holds the lock of all who have it mapped */
};

size_t region_file_section_bytes(void);

/*
 * Open, lock, measure, and allocate the file for a region with this header. Errors and ret_report:
 * region_open(). On success the file has its full size, and its first page says so.
 */
int region_file_take(const char *path, const struct region_header *header, uint64_t available_bytes,
                     struct region_file_handle *ret_file, struct region_report *ret_report);
/* The way back when the region can't be mapped: close. */
void region_file_give_back(const struct region_file_handle *file);

/* Put the file behind the region's other sections. The region owns the descriptors then. */
int region_file_map(struct region *region, const struct region_file_handle *file);

/* Make what the file holds fit to be used by anybody, or empty it. Returns what was found after all. */
enum region_found region_file_adopt(struct region *region, enum region_found found);

#endif
