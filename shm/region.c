/* SPDX-License-Identifier: MIT */
/*
 * region.c - makes the shared mapping and says where its sections stand. Knows how large each
 * section is, not what is in it. A memfd: nothing to name, nothing left behind when all
 * processes are gone. Behind it, where pages are to be kept, a file (region_file.c) in the same range
 * of addresses.
 */
#include "shm/region.h"

#include "shm/index.h"
#include "shm/log.h"
#include "shm/peers.h"
#include "shm/region_file.h"
#include "shm/region_guard.h"
#include "shm/region_map.h"
#include "shm/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_ALIGN_BYTES REGION_PAGE_BYTES
#define COLD_BYTES_MIN MIB
#define SEGMENT_BYTES_MIN ((uint32_t)(16 * KIB))
/* Larger ones lose less of what pages do not fit behind (perf/README.md, "eviction"), and take longer to
 * be backed when they are first used. */
#define SEGMENT_BYTES_MAX ((uint32_t)MIB)
/* A page may take a quarter of the ring: a run must be found although other workers' open
 * segments stand in the way, and one page must not empty the cache. */
#define OBJECT_SHARE_MAX 4
/* One slot for each 512 bytes of budget: no page is smaller than 256, most are kilobytes, so
 * the index stays below half full; it costs 1.6 % on top of the budget. */
#define BYTES_PER_SLOT 512

static uint64_t align_up(uint64_t bytes, uint64_t to)
{
    return (bytes + to - 1) / to * to;
}

static uint32_t segment_bytes_for(uint64_t cold_bytes)
{
    uint32_t bytes = SEGMENT_BYTES_MIN;

    while (bytes < SEGMENT_BYTES_MAX && (uint64_t)bytes * 2 <= cold_bytes / 64)
        bytes *= 2;
    return bytes;
}

static uint64_t slots_for(uint64_t cold_bytes)
{
    uint64_t slots = INDEX_PROBES;

    while (slots < cold_bytes / BYTES_PER_SLOT)
        slots *= 2;
    return slots;
}

/* The header of a region of these sizes. Sections in the order of the byte map. */
static void lay_out(struct region_header *header, const struct region_sizes *sizes, bool has_file)
{
    uint32_t segment_bytes = segment_bytes_for(sizes->cold_bytes);
    uint64_t segments = sizes->cold_bytes / segment_bytes;
    uint64_t object_max = segments * segment_bytes / OBJECT_SHARE_MAX;
    uint64_t slots = slots_for(sizes->cold_bytes);
    uint64_t section_bytes[REGION_SECTIONS] = {
        [REGION_PEERS] = REGION_PEERS_MAX * sizeof(struct peer),
        [REGION_STATS] = stats_section_bytes(),
        [REGION_PURGE] = purge_section_bytes(),
        [REGION_CLAIMS] = claims_section_bytes(),
        [REGION_POISON] = poison_section_bytes(),
        [REGION_HITS] = hits_section_bytes(),
        [REGION_FILE] = has_file ? region_file_section_bytes() : 0,
        [REGION_INDEX] = slots * sizeof(uint64_t),
        [REGION_RING] = ring_table_bytes((uint32_t)segments),
        [REGION_COUNTS] = hits_counts_bytes(slots),
        [REGION_SEGMENTS] = segments * segment_bytes,
    };
    uint64_t offset = align_up(sizeof *header, PAGE_ALIGN_BYTES);

    *header = (struct region_header){
        .magic = REGION_MAGIC,
        .version = REGION_VERSION,
        .header_bytes = sizeof *header,
        .cold_bytes = sizes->cold_bytes,
        .max_object_bytes =
            sizes->max_object_bytes < object_max ? sizes->max_object_bytes : object_max,
        .slots = slots,
        .segments = (uint32_t)segments,
        .segment_bytes = segment_bytes,
    };
    if (header->max_object_bytes > UINT32_MAX)
        header->max_object_bytes = UINT32_MAX;
    for (int i = 0; i < REGION_SECTIONS; i++) {
        header->section_offset[i] = offset;
        offset = align_up(offset + section_bytes[i], PAGE_ALIGN_BYTES);
    }
    header->bytes = offset;
}

/*
 * Memory that could be had now; UINT64_MAX when the kernel does not say. A memfd knows no limit:
 * without this look a budget beyond the memory ends with the OOM killer, an hour later.
 */
static uint64_t available_bytes(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    unsigned long long kib;
    uint64_t available = UINT64_MAX;

    if (file == NULL)
        return available;
    while (available == UINT64_MAX && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            available = kib * KIB;
    }
    (void)fclose(file);
    return available;
}

static int back(int fd, uint64_t from, uint64_t to)
{
    int rc;

    do {
        rc = from < to && fallocate(fd, 0, (off_t)from, (off_t)(to - from)) != 0 ? errno : 0;
    } while (rc == EINTR);
    return -rc;
}

/* What is used only here and there gets its memory then. */
static uint64_t unbacked_hits_bytes(const struct region_header *header)
{
    return header->section_offset[REGION_FILE] - header->section_offset[REGION_HITS] -
           hits_backed_bytes();
}

/*
 * A zeroed, shared mapping, backed where every process touches it without asking.
 * Segments are backed one by one when first opened (ring_claim()): backing 256 MiB at once takes
 * 140 ms, more than a whole start may; hits as they are counted. The descriptor is not kept: the mapping holds
 * the memory. The region may be more than memfd_bytes: the rest of the range is the caller's to fill.
 */
static int map_memory(const struct region_header *header, uint64_t memfd_bytes, void **ret_base)
{
    const uint64_t *offset = header->section_offset;
    autofd int fd = memfd_create("ssrd", MFD_CLOEXEC);
    void *base;
    int rc;

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)memfd_bytes) != 0)
        return -errno;
    rc = back(fd, 0, offset[REGION_HITS] + hits_backed_bytes());
    if (rc == 0 && memfd_bytes > offset[REGION_FILE])
        rc = back(fd, offset[REGION_FILE], offset[REGION_COUNTS]);
    if (rc != 0)
        return rc;
    base = mmap(NULL, header->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    *ret_base = base;
    return 0;
}

static int check_sizes(const struct region_sizes *sizes)
{
    return sizes->cold_bytes < COLD_BYTES_MIN || sizes->cold_bytes > RING_BYTES_MAX ||
                   sizes->max_object_bytes == 0
               ? -EINVAL
               : 0;
}

/* Map what is anonymous and write the header. */
static int begin(struct region_header *header, uint64_t memfd_bytes, struct region **ret_region)
{
    struct region *region = calloc(1, sizeof *region);
    uint32_t level = LOG_INFO;
    void *base = NULL;
    int rc;

    if (region == NULL)
        return -ENOMEM;
    rc = map_memory(header, memfd_bytes, &base);
    if (base == NULL) {
        free(region);
        return rc;
    }
    header->wall_start_ms = wall_ms();
    header->mono_start_ms = mono_ms();
    memcpy(header->log_level, &level, sizeof level);
    memcpy(base, header, sizeof *header);
    region->header = base;
    region->bytes = header->bytes;
    region->file_fd = region->lock_fd = -1;
    purge_init(region_at(region, REGION_PURGE));
    claims_init(region_at(region, REGION_CLAIMS));
    *ret_region = region;
    return 0;
}

int region_create(const struct region_sizes *sizes, struct region **ret_region)
{
    struct region_header header;
    int rc = check_sizes(sizes);

    if (rc != 0)
        return rc;
    lay_out(&header, sizes, false);
    if (header.bytes - unbacked_hits_bytes(&header) > available_bytes())
        return -ENOSPC;
    rc = begin(&header, header.bytes, ret_region);
    if (rc == 0)
        ring_init(region_at(*ret_region, REGION_RING), header.segments);
    return rc;
}

int region_open(const struct region_sizes *sizes, const char *path, struct region **ret_region,
                struct region_report *ret_report)
{
    struct region_header header;
    struct region_file_handle file;
    struct region *region = NULL;
    int rc = check_sizes(sizes);

    if (rc != 0)
        return rc;
    lay_out(&header, sizes, true);
    rc = region_file_take(path, &header, available_bytes(), &file, ret_report);
    if (rc != 0)
        return rc;
    rc = begin(&header, header.section_offset[REGION_FILE], &region);
    if (rc == 0)
        rc = region_file_map(region, &file);
    if (rc != 0) {
        region_file_give_back(&file);
        region_close(region);
        return rc;
    }
    region_guard_add(region);
    ret_report->found = region_file_adopt(region, ret_report->found);
    *ret_region = region;
    return 0;
}

void region_close(struct region *region)
{
    if (region == NULL)
        return;
    region_guard_remove(region);
    (void)munmap(region->header, region->bytes);
    if (region->lock_fd >= 0)
        (void)close(region->lock_fd);
    if (region->file_fd >= 0)
        (void)close(region->file_fd);
    free(region);
}

uint64_t region_now_ms(const struct region *region)
{
    return region_clock_ms(region, mono_ns());
}

uint64_t region_clock_ms(const struct region *region, uint64_t mono_ns_read)
{
    return region->header->wall_start_ms +
           (mono_ns_read / 1000000u - region->header->mono_start_ms);
}

struct log_shared *region_log_level(const struct region *region)
{
    return (struct log_shared *)region->header->log_level;
}

bool region_stopping(const struct region *region)
{
    return atomic_load_explicit(&region->header->stopping, memory_order_relaxed) != 0;
}

void region_ask_reload(struct region *region)
{
    (void)atomic_fetch_add_explicit(&region->header->reloads_asked, 1, memory_order_relaxed);
}

uint32_t region_reloads_asked(const struct region *region)
{
    return atomic_load_explicit(&region->header->reloads_asked, memory_order_relaxed);
}

void region_set_stopping(struct region *region)
{
    atomic_store_explicit(&region->header->stopping, 1, memory_order_relaxed);
}

uint32_t region_file_faults(const struct region *region)
{
    return atomic_load_explicit(&region->header->file_faults, memory_order_relaxed);
}
