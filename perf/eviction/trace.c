/* SPDX-License-Identifier: MIT */
/*
 * trace.c - reads traces and makes up others: Zipf's law with what disturbs it on the web (crawlers
 * that ask for everything once, news that replaces yesterday's, pages of very different sizes).
 * Seeds are fixed: two runs replay the same requests.
 */
#include "perf/eviction/trace.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct random {
    uint64_t state;
};

static uint64_t draw(struct random *random)
{
    uint64_t x = random->state += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t draw_below(struct random *random, uint64_t below)
{
    return (uint64_t)(((unsigned __int128)draw(random) * below) >> 64);
}

/* In (0, 1). */
static double draw_real(struct random *random)
{
    return ((double)(draw(random) >> 11) + 0.5) * 0x1p-53;
}

void trace_done(struct trace *trace)
{
    free(trace->object);
    free(trace->bytes);
    *trace = (struct trace){0};
}

uint64_t trace_footprint(const struct trace *trace)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < trace->objects; i++)
        bytes += trace->bytes[i];
    return bytes;
}

/* --- from a file -------------------------------------------------------------------------- */

/* Names become numbers in the order of their first request. Open addressing, as large as needed. */
struct names {
    uint64_t *hash; /* 0: free */
    uint32_t *number;
    size_t mask;
    uint32_t count;
};

static uint32_t number_of(struct names *names, const char *name, size_t bytes)
{
    uint64_t hash = XXH3_64bits(name, bytes) | 1;
    size_t at = (size_t)(hash >> 8) & names->mask;

    while (names->hash[at] != 0 && names->hash[at] != hash)
        at = (at + 1) & names->mask;
    if (names->hash[at] == 0) {
        names->hash[at] = hash;
        names->number[at] = names->count++;
    }
    return names->number[at];
}

static size_t count_lines(FILE *file)
{
    size_t lines = 1;
    int c;

    while ((c = getc(file)) != EOF)
        lines += c == '\n';
    rewind(file);
    return lines;
}

static int number_lines(FILE *file, struct trace *trace)
{
    size_t lines = count_lines(file);
    struct names names = {.mask = 1};
    char name[256];
    int rc = -ENOMEM;

    while (names.mask < 2 * lines)
        names.mask = names.mask * 2 + 1;
    names.hash = calloc(names.mask + 1, sizeof *names.hash);
    names.number = calloc(names.mask + 1, sizeof *names.number);
    trace->object = calloc(lines, sizeof *trace->object);
    if (names.hash != NULL && names.number != NULL && trace->object != NULL) {
        while (trace->requests < lines && fscanf(file, "%255s", name) == 1)
            trace->object[trace->requests++] = number_of(&names, name, strlen(name));
        trace->objects = names.count;
        rc = trace->requests > 0 ? 0 : -ENODATA;
    }
    free(names.hash);
    free(names.number);
    return rc;
}

static int unit_sizes(struct trace *trace)
{
    trace->bytes = calloc(trace->objects, sizeof *trace->bytes);
    if (trace->bytes == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < trace->objects; i++)
        trace->bytes[i] = TRACE_UNIT_BYTES;
    return 0;
}

int trace_read(const char *path, struct trace *ret_trace)
{
    FILE *file = fopen(path, "re");
    struct trace trace = {0};
    const char *base = strrchr(path, '/');
    int rc;

    if (file == NULL)
        return -errno;
    rc = number_lines(file, &trace);
    (void)fclose(file);
    if (rc == 0)
        rc = unit_sizes(&trace);
    if (rc != 0) {
        trace_done(&trace);
        return rc;
    }
    (void)snprintf(trace.name, sizeof trace.name, "%.31s", base != NULL ? base + 1 : path);
    trace.name[strcspn(trace.name, ".")] = '\0';
    *ret_trace = trace;
    return 0;
}

/* --- made up ------------------------------------------------------------------------------ */

/* What a generated trace is made of. Sizes in requests and objects. */
struct recipe {
    const char *name;
    double alpha;          /* of Zipf's law */
    uint32_t objects;      /* that follow it */
    uint32_t scan_every;   /* a crawler comes so often (0: never) ... */
    uint32_t scan_objects; /* ... asks for so many, one after another ... */
    uint32_t scan_range;   /* ... of so many that nobody else wants */
    uint32_t change_every; /* an object becomes popular in place of another (0: never) */
    bool sized;
};

static const struct recipe recipes[] = {
    {"zipf 0.8 + scans", 0.8, 40000, 20000, 4000, 40000, 0, false},
    {"zipf 1.0 + scans", 1.0, 40000, 20000, 4000, 40000, 0, false},
    {"zipf 0.8 changing", 0.8, 60000, 0, 0, 0, 20, false},
    {"zipf 1.0 changing", 1.0, 60000, 0, 0, 0, 20, false},
    {"web sizes, zipf 0.8", 0.8, 20000, 0, 0, 0, 0, true},
    {"web sizes, 1.0 + scans", 1.0, 15000, 20000, 2000, 10000, 100, true},
};

/* Sum of the weights up to each rank. */
static double *zipf_table(uint32_t objects, double alpha)
{
    double *table = calloc(objects, sizeof *table);
    double sum = 0;

    if (table == NULL)
        return NULL;
    for (uint32_t i = 0; i < objects; i++)
        table[i] = sum += pow(i + 1, -alpha);
    return table;
}

static uint32_t zipf_rank(const double *table, uint32_t objects, struct random *random)
{
    double at = draw_real(random) * table[objects - 1];
    uint32_t low = 0;
    uint32_t high = objects - 1;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (table[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Two ranks change places: one of any popularity (each order of magnitude alike), one of any. */
static void change(uint32_t *at_rank, uint32_t objects, struct random *random)
{
    uint32_t a = (uint32_t)(pow(objects, draw_real(random))) - 1;
    uint32_t b = (uint32_t)draw_below(random, objects);
    uint32_t object = at_rank[a];

    at_rank[a] = at_rank[b];
    at_rank[b] = object;
}

static void fill(const struct recipe *recipe, struct trace *trace, const double *table,
                 uint32_t *at_rank)
{
    struct random random = {recipe->objects};
    uint32_t scanned = 0;
    uint32_t scan_left = 0;

    for (size_t i = 0; i < trace->requests; i++) {
        if (recipe->scan_every > 0 && i % recipe->scan_every == recipe->scan_every / 2)
            scan_left = recipe->scan_objects;
        if (recipe->change_every > 0 && i % recipe->change_every == 0)
            change(at_rank, recipe->objects, &random);
        if (scan_left > 0 && draw_below(&random, 2) == 0) { /* among the others' requests */
            trace->object[i] = recipe->objects + scanned++ % recipe->scan_range;
            scan_left--;
        } else {
            trace->object[i] = at_rank[zipf_rank(table, recipe->objects, &random)];
        }
    }
}

/* Lognormal, median 10 kB, 100 B to 1 MB of body (Box and Muller); popular or not makes no
 * difference to an object's size. */
static void web_sizes(struct trace *trace)
{
    struct random random = {7};

    for (uint32_t i = 0; i < trace->objects; i++) {
        double normal =
            sqrt(-2 * log(draw_real(&random))) * cos(2 * 3.14159265358979 * draw_real(&random));
        double bytes = 10000 * exp(1.3 * normal);

        bytes = bytes < 100 ? 100 : bytes > 1e6 ? 1e6 : bytes;
        trace->bytes[i] = 512 + ((uint32_t)bytes & ~7u); /* page, key, head and body */
    }
    trace->sized = true;
}

int trace_generate(unsigned i, size_t requests, struct trace *ret_trace)
{
    const struct recipe *recipe = &recipes[i];
    struct trace trace = {0};
    autofree double *table = NULL;
    autofree uint32_t *at_rank = NULL;

    if (i >= array_len(recipes))
        return -ENOENT;
    table = zipf_table(recipe->objects, recipe->alpha);
    at_rank = calloc(recipe->objects, sizeof *at_rank);
    trace.object = calloc(requests, sizeof *trace.object);
    trace.requests = requests;
    trace.objects = recipe->objects + recipe->scan_range;
    if (table == NULL || at_rank == NULL || trace.object == NULL || unit_sizes(&trace) != 0) {
        trace_done(&trace);
        return -ENOMEM;
    }
    for (uint32_t rank = 0; rank < recipe->objects; rank++)
        at_rank[rank] = rank;
    fill(recipe, &trace, table, at_rank);
    if (recipe->sized)
        web_sizes(&trace);
    (void)snprintf(trace.name, sizeof trace.name, "%s", recipe->name);
    *ret_trace = trace;
    return 0;
}
