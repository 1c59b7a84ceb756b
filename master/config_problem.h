/* SPDX-License-Identifier: MIT */
/*
 * config_problem.h - problems on their way from the place that finds them to the user: positions,
 * the source line with a caret, order, a bound on their number. Private to the config loader; its
 * users see struct config_problems (config_load.h).
 */
#ifndef SSRD_MASTER_CONFIG_PROBLEM_H
#define SSRD_MASTER_CONFIG_PROBLEM_H

#include "master/config_load.h"
#include "shm/base.h"

#include <stdarg.h>

/* What is being read: a file's text, or the value of one -o. */
struct config_source {
    const char *name; /* "ssrd.yaml", or "-o cache.ttl" */
    const char *text;
    size_t bytes;
    bool is_override; /* no positions; comes after the file */
};

#define CONFIG_PROBLEMS_MAX 100 /* more help nobody, and a file of junk has no end of them */

struct config_report {
    struct {
        char *text;
        uint64_t order; /* line and column */
    } item[CONFIG_PROBLEMS_MAX];
    size_t count;
    size_t left_out;
    size_t errors;
    bool no_memory; /* a problem's text could not be kept */
};

enum config_severity { CONFIG_ERROR, CONFIG_WARNING };

/* line and column: 1-based; line 0: about the file as a whole. Never fails: see no_memory. */
__attribute__((format(printf, 6, 7))) void
config_problem_add(struct config_report *report, const struct config_source *source, uint32_t line,
                   uint32_t column, enum config_severity severity, const char *format, ...);
void config_problem_add_args(struct config_report *report, const struct config_source *source,
                             uint32_t line, uint32_t column, enum config_severity severity,
                             const char *format, va_list args);

/* Put in the order of the file and moved to ret_problems; the report is empty then. 0 / -ENOMEM. */
int config_problem_take(struct config_report *report, struct config_problems *ret_problems);

/* Frees the texts not taken. */
void config_problem_done(struct config_report *report);

#endif
