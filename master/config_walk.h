/* SPDX-License-Identifier: MIT */
/*
 * config_walk.h - from a tree of YAML nodes to calls, one for each option given; unknown keys are
 * reported with what was probably meant. The same walk serves the file, -o and routes.
 */
#ifndef SSRD_MASTER_CONFIG_WALK_H
#define SSRD_MASTER_CONFIG_WALK_H

#include "master/config_option.h"

struct config_loading {
    struct config *config;
    struct config_report report;
    const struct config_node *routes; /* the list to be read once all else is known; NULL: none */
    bool *given;                      /* by index into config_options */
};

/* One option and its node, never null. policy: the route's, or NULL for the server's own. 0 /
 * -EINVAL: reported / -ENOMEM. */
int config_walk_apply(struct config_loading *loading, const struct config_option *option,
                      const struct config_node *node, struct config_policy *policy);

/*
 * Walk a map. prefix: "" or "cache.", what its keys stand under. policy: NULL, or the route's, in
 * which the options of routes alone are allowed, and the key `match` is passed over. 0, problems or
 * not / -ENOMEM.
 */
int config_walk(struct config_loading *loading, const struct config_node *map, const char *prefix,
                struct config_policy *policy);

/* loading->routes to config->routes, each policy complete. 0, problems or not / -ENOMEM. */
int config_route_load(struct config_loading *loading);

#endif
