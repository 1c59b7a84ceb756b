/* SPDX-License-Identifier: MIT */
/* part_bench.c - see part_bench.h. */
#include "perf/eviction/part_bench.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define ROUND_NS 2000000u
#define ROUNDS 24
#define OPERATIONS_MAX 16

static uint64_t cpu_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static double round_ns(struct part *part, const struct part_operation *operation)
{
    uint64_t start = cpu_ns();
    uint64_t now = start;
    uint64_t count = 0;

    while (now - start < ROUND_NS) {
        for (int i = 0; i < 500; i++)
            operation->run(part);
        count += 500;
        now = cpu_ns();
    }
    return (double)(now - start) / (double)count;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static pid_t start_second(const struct part *part, const struct part_operation *operation,
                          void (*enter)(struct part *part))
{
    pid_t pid = fork();

    if (pid == 0) {
        struct part second = *part;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        second.number = 1;
        second.random = 4711;
        if (enter != NULL)
            enter(&second);
        for (;;)
            operation->run(&second);
    }
    return pid;
}

static void measure(struct part *part, const struct part_operation *operations, size_t count,
                    void (*enter)(struct part *part), void (*settle)(struct part *part), bool two,
                    double *ret_ns)
{
    static double ns[OPERATIONS_MAX][ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < count; i++) {
            pid_t pid = two ? start_second(part, &operations[i], enter) : 0;

            for (int k = 0; k < 2000; k++) /* after a fork each page is copied once */
                operations[i].run(part);
            ns[i][round] = round_ns(part, &operations[i]);
            if (pid <= 0)
                continue;
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, NULL, 0);
            if (settle != NULL)
                settle(part);
        }
    }
    for (size_t i = 0; i < count; i++) {
        qsort(ns[i], ROUNDS, sizeof ns[i][0], compare);
        ret_ns[i] = ns[i][ROUNDS / 4];
    }
}

int part_main(int argc, char **argv, struct part *part, const struct part_operation *operations,
              size_t count, void (*enter)(struct part *part), void (*settle)(struct part *part))
{
    double alone[OPERATIONS_MAX], two[OPERATIONS_MAX];

    for (size_t i = 0; i < count && argc == 2; i++)
        (void)printf("%s\n", operations[i].name);
    for (size_t i = 0; i < count && argc == 3; i++) {
        unsigned long n = strtoul(argv[2], NULL, 10);

        if (strcmp(operations[i].name, argv[1]) != 0)
            continue;
        for (unsigned long k = 0; k < n; k++)
            operations[i].run(part);
        (void)printf("%llu failed\n", (unsigned long long)part->failed);
        return part->failed > 0;
    }
    if (argc > 1)
        return argc == 2 ? 0 : 64;
    measure(part, operations, count, enter, settle, false, alone);
    if (part->failed > 0) {
        (void)fprintf(stderr, "%llu operations failed\n", (unsigned long long)part->failed);
        return 1;
    }
    measure(part, operations, count, enter, settle, true, two);
    (void)printf("%-12s %8s %8s\n", "ns", "alone", "two");
    for (size_t i = 0; i < count; i++)
        (void)printf("%-12s %8.1f %8.1f\n", operations[i].name, alone[i], two[i]);
    return 0;
}
