/* SPDX-License-Identifier: MIT */
/*
 * config.c - what every process does with a configuration: find the policy of a path, and free it.
 * Reading it from YAML is the master's (master/config_load.c).
 */
#include "shm/config.h"

#include "shm/routepath.h"

#include <stdlib.h>
#include <string.h>

#define ROUTED_BYTES_MAX 8192u /* longer ones are no target of a request */

static const struct config_policy *policy_of_plain(const struct config *config, const char *path,
                                                   size_t path_bytes)
{
    for (size_t i = 0; i < config->routes.count; i++) {
        const struct config_route *route = &config->routes.item[i];
        size_t bytes = strlen(route->match);

        if (bytes > 0 && route->match[bytes - 1] == '*') {
            if (path_bytes >= bytes - 1 && memcmp(path, route->match, bytes - 1) == 0)
                return &route->policy;
        } else if (path_bytes == bytes && memcmp(path, route->match, bytes) == 0) {
            return &route->policy;
        }
    }
    return &config->policy;
}

const struct config_policy *config_policy_for(const struct config *config, const char *path,
                                              size_t path_bytes)
{
    char plain[ROUTED_BYTES_MAX];

    if (config->routes.count == 0)
        return &config->policy;
    if (path_bytes == 0 || path_bytes > sizeof plain || *path != '/' ||
        !routepath_is_odd(path, path_bytes))
        return policy_of_plain(config, path, path_bytes);
    return policy_of_plain(config, plain, routepath_normalise(path, path_bytes, plain));
}

static void str_list_done(struct str_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->item[i]);
    free(list->item);
}

static void policy_done(struct config_policy *policy)
{
    str_list_done(&policy->key.query_names);
    str_list_done(&policy->key.headers);
    str_list_done(&policy->key.cookies);
    str_list_done(&policy->bypass_headers);
    str_list_done(&policy->bypass_cookies);
    free(policy->status.item);
    free(policy->fallback);
    for (size_t i = 0; i < policy->headers.count; i++) {
        free(policy->headers.item[i].name);
        free(policy->headers.item[i].value);
    }
    free(policy->headers.item);
}

void config_free(struct config *config)
{
    if (!config)
        return;
    free(config->file);
    str_list_done(&config->listen);
    free(config->admin.listen);
    free(config->admin.socket);
    free(config->user);
    free(config->log.access);
    free(config->bundle.path);
    free(config->bundle.function);
    str_list_done(&config->bundle.warmup);
    free(config->bundle.template_path);
    free(config->bundle.outlet);
    free(config->bundle.head_outlet);
    free(config->bundle.manifest);
    free(config->bundle.base);
    str_list_done(&config->render.buffer_for);
    free(config->cache.file);
    str_list_done(&config->compression.encodings);
    str_list_done(&config->fetch.allow);
    str_list_done(&config->http.trusted);
    for (size_t i = 0; i < config->statics.count; i++) {
        free(config->statics.item[i].prefix);
        free(config->statics.item[i].root);
        free(config->statics.item[i].index);
    }
    free(config->statics.item);
    for (size_t i = 0; i < config->gateways.count; i++)
        free(config->gateways.item[i].listen);
    free(config->gateways.item);
    free(config->env);
    policy_done(&config->policy);
    for (size_t i = 0; i < config->routes.count; i++) {
        free(config->routes.item[i].match);
        policy_done(&config->routes.item[i].policy);
    }
    free(config->routes.item);
    free(config);
}
