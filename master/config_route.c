/* SPDX-License-Identifier: MIT */
/*
 * config_route.c - routes: each begins as a copy of the server's policy, which must be complete by
 * then (file and overrides), and takes what the route says on top.
 */
#include "master/config_walk.h"

#include "master/config_value.h"
#include "shm/routepath.h"

#include <errno.h>
#include <string.h>

static int inherit(const struct config_policy *from, struct config_policy *policy)
{
    for (size_t i = 0; i < config_option_count; i++) {
        const struct config_option *option = &config_options[i];
        union config_value value = {0};
        const void *field;
        int rc;

        if (!config_option_in_route(option))
            continue;
        field = config_option_policy_field(option, (struct config_policy *)from);
        rc = config_option_copy(option, field, &value);
        if (rc != 0)
            return rc;
        config_option_store(option, config_option_policy_field(option, policy), &value);
    }
    return 0;
}

static const struct config_node *find_match(const struct config_node *route)
{
    for (const struct config_node *child = route->first; child; child = child->next) {
        if (strcmp(child->key->text, "match") == 0)
            return child;
    }
    return NULL;
}

/* The route's path; NULL: reported. */
static const char *read_match(struct config_loading *loading, const struct config_node *route)
{
    const struct config_node *match = find_match(route);
    char path[CONFIG_YAML_PATH_BYTES];
    const char *star;

    if (!match) {
        config_node_problem(&loading->report, route, CONFIG_ERROR,
                            "`%s`: `match` is missing: the path that the route is for",
                            config_node_path(route, path));
        return NULL;
    }
    if (match->kind != CONFIG_NODE_SCALAR || match->text[0] != '/') {
        (void)config_option_wrong(&loading->report, match, "a path that begins with /");
        return NULL;
    }
    star = strchr(match->text, '*');
    if (strpbrk(match->text, "?#") || (star && star[1] != '\0')) {
        (void)config_option_wrong(&loading->report, match,
                                  "a path without query, with * at its end or not at all");
        return NULL;
    }
    return match->text;
}

/* A route that nothing can reach, because an earlier one takes all its paths, is a mistake. */
static void warn_if_hidden(struct config_loading *loading, const struct config_node *node,
                           const struct config_route_list *routes, const char *match)
{
    char path[CONFIG_YAML_PATH_BYTES];
    char show[CONFIG_SHOW_BYTES];

    for (size_t i = 0; i < routes->count; i++) {
        const char *earlier = routes->item[i].match;
        size_t bytes = strlen(earlier);
        bool takes_all = earlier[bytes - 1] == '*' ? strncmp(match, earlier, bytes - 1) == 0
                                                   : strcmp(match, earlier) == 0;

        if (!takes_all)
            continue;
        config_node_problem(&loading->report, node, CONFIG_WARNING,
                            "`%s` has no effect: `%s` stands before it and takes all its paths",
                            config_node_path(node, path), config_value_show(earlier, show));
        return;
    }
}

/* In the form in which paths are compared with it: returns owned. */
static char *plain_match(const char *match)
{
    size_t bytes = strlen(match);
    char *plain = malloc(bytes + 1);

    if (plain)
        plain[routepath_normalise(match, bytes, plain)] = '\0';
    return plain;
}

int config_route_load(struct config_loading *loading)
{
    struct config_route_list *routes = &loading->config->routes;

    if (!loading->routes)
        return 0;
    routes->item = calloc(loading->routes->count + 1, sizeof routes->item[0]);
    if (!routes->item)
        return -ENOMEM;
    for (const struct config_node *node = loading->routes->first; node; node = node->next) {
        struct config_route *route = &routes->item[routes->count];
        const char *match;
        int rc;

        if (node->kind != CONFIG_NODE_MAP) {
            (void)config_option_wrong(&loading->report, node, "a map with `match`");
            continue;
        }
        match = read_match(loading, node);
        route->match = plain_match(match ? match : "/");
        if (!route->match)
            return -ENOMEM;
        if (match)
            warn_if_hidden(loading, node, routes, route->match);
        routes->count++; /* also half-built: freed with the config */
        rc = inherit(&loading->config->policy, &route->policy);
        if (rc == 0)
            rc = config_walk(loading, node, "", &route->policy);
        if (rc != 0)
            return rc;
    }
    return 0;
}
