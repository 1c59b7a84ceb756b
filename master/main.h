/* SPDX-License-Identifier: MIT */
/* main.h - between the command line (main.c) and the master (master.c). */
#ifndef SSRD_MASTER_MAIN_H
#define SSRD_MASTER_MAIN_H

#include "master/bundle.h"
#include "shm/config.h"

/* What the command line gave; kept for reloads. */
struct master_options {
    const char *config_path; /* NULL: defaults only; read again at each reload */
    const char *const *override;
    size_t override_count;
};

/* Serve until told to stop. Takes config and bundle. Returns the exit code. */
int master_main(const struct master_options *options, struct config *config, struct bundle *bundle);

#endif
