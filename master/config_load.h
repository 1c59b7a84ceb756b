/* SPDX-License-Identifier: MIT */
/*
 * config_load.h - from a YAML file and `-o key=value` to a struct config, with every problem
 * named by file, line and column. Used by the master and by ssrctl.
 */
#ifndef SSRD_MASTER_CONFIG_LOAD_H
#define SSRD_MASTER_CONFIG_LOAD_H

#include "shm/config.h"

#include <stdio.h>

/* Problems gathered while loading, in the order of the file. */
struct config_problems {
    char **text; /* "ssrd.yaml:12:5: unknown key `tll` in cache; did you mean `ttl`?" */
    size_t count;
    size_t errors; /* how many of them are errors; the others are warnings ("warning: …") */
};
void config_problems_done(struct config_problems *problems);

/*
 * path:     YAML file; NULL: defaults only
 * override: "key=value" texts (dotted keys), applied after the file; problems name them "-o
 * key=value" 0 and a complete config (warnings possible) / -EINVAL: see problems / -errno: the file
 * can't be read (a problem says so) / -ENOMEM.
 */
int config_load(const char *path, const char *const *override, size_t override_count,
                struct config **ret_config, struct config_problems *problems);

/* As config_load, from memory; name stands in for the file in problems. The fuzzer's way in. */
int config_parse(const char *text, size_t text_bytes, const char *name, const char *const *override,
                 size_t override_count, struct config **ret_config,
                 struct config_problems *problems);

/* The file that is used without -c: ./ssrd.yaml, then /etc/ssrd/ssrd.yaml; NULL: neither exists. */
const char *config_default_path(void);

/* Every option of the table, a line each: `KEY type = default: text (range)`. For `ssrd -h`. */
void config_print_options(FILE *out);

#endif
