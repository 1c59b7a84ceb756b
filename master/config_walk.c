/* SPDX-License-Identifier: MIT */
/*
 * config_walk.c - keys to options. Sections are not in the table: a key is one when options begin
 * with it, so a new option needs its row and nothing else.
 */
#include "master/config_walk.h"

#include "master/config_value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KEY_BYTES 128

static const struct config_option *find_option(const char *key)
{
    for (size_t i = 0; i < config_option_count; i++) {
        if (strcmp(config_options[i].key, key) == 0)
            return &config_options[i];
    }
    return NULL;
}

static bool is_section(const char *key)
{
    size_t bytes = strlen(key);

    for (size_t i = 0; i < config_option_count; i++) {
        if (strncmp(config_options[i].key, key, bytes) == 0 && config_options[i].key[bytes] == '.')
            return true;
    }
    return false;
}

/* The known key nearest to one that is not: a slip of the fingers among its neighbours, else the
 * same name in another section. out: KEY_BYTES. Returns NULL when nothing is near. */
static const char *nearest(const char *prefix, const char *name, bool in_route, char *out)
{
    size_t prefix_bytes = strlen(prefix);
    size_t best =
        strlen(name) <= 3 ? 1 : strlen(name) / 3 + 1; /* further away it is another word */
    const char *found = NULL;

    for (size_t i = 0; i < config_option_count; i++) {
        const char *key = config_options[i].key;
        char word[KEY_BYTES];
        size_t distance;

        if (strncmp(key, prefix, prefix_bytes) != 0 ||
            (in_route && !config_option_in_route(&config_options[i])))
            continue;
        (void)snprintf(word, sizeof word, "%.*s", (int)strcspn(key + prefix_bytes, "."),
                       key + prefix_bytes);
        distance = config_value_distance(word, name);
        if (distance < best || (distance == best && !found)) {
            best = distance;
            found = memcpy(out, word, sizeof word);
        }
    }
    for (size_t i = 0; i < config_option_count && !found; i++) {
        const char *dot = strrchr(config_options[i].key, '.');

        if (dot && strcmp(dot + 1, name) == 0 &&
            (!in_route || config_option_in_route(&config_options[i])))
            found = strcpy(out, config_options[i].key);
    }
    return found;
}

static void report_unknown(struct config_loading *loading, const struct config_node *node,
                           const char *prefix, bool in_route)
{
    char path[CONFIG_YAML_PATH_BYTES];
    char near[KEY_BYTES];
    char show[CONFIG_SHOW_BYTES];
    const char *meant = nearest(prefix, node->key->text, in_route, near);
    const char *section = node->parent ? config_node_path(node->parent, path) : "";

    /* `match` is no option of the table */
    if (!meant && in_route && prefix[0] == '\0' &&
        config_value_distance(node->key->text, "match") <= 2)
        meant = "match";
    (void)config_value_show(node->key->text, show);
    if (meant)
        config_node_problem(&loading->report, node->key, CONFIG_ERROR,
                            "unknown key `%s%s%s`; did you mean `%s`?", section,
                            section[0] ? "." : "", show, meant);
    else
        config_node_problem(&loading->report, node->key, CONFIG_ERROR, "unknown key `%s%s%s`",
                            section, section[0] ? "." : "", show);
}

/* 0 / -ENOMEM. */
static int has_no_effect(const struct config_option *option, const struct config_node *node,
                         const union config_value *value, bool *ret_true)
{
    union config_value initial = {0};

    *ret_true = false;
    if (!option->is_later || option->type == CONFIG_ROUTES)
        return 0;
    if (option->type == CONFIG_ANY_LIST || option->type == CONFIG_ANY_MAP) {
        *ret_true = node->count > 0;
        return 0;
    }
    if (option->later_value) {
        *ret_true = strcmp(node->text, option->later_value) == 0;
        return 0;
    }
    if (config_option_read_default(option, &initial) != 0)
        return -ENOMEM;
    *ret_true = !config_option_equal(option, value, &initial);
    config_option_value_done(option, &initial);
    return 0;
}

static void warn_later(struct config_loading *loading, const struct config_option *option,
                       const struct config_node *node)
{
    char path[CONFIG_YAML_PATH_BYTES];
    const struct config_node *at = node->key ? node->key : node;

    config_node_problem(&loading->report, at, CONFIG_WARNING,
                        "`%s%s%s` is not available in this version and has no effect",
                        config_node_path(node, path), option->later_value ? ": " : "",
                        option->later_value ? option->later_value : "");
}

int config_walk_apply(struct config_loading *loading, const struct config_option *option,
                      const struct config_node *node, struct config_policy *policy)
{
    void *field = policy ? config_option_policy_field(option, policy)
                         : config_option_field(option, loading->config);
    union config_value value = {0};
    bool is_idle = false;
    int rc;

    if (node->kind == CONFIG_NODE_NULL) { /* `ttl:` alone: as if it was not there */
        if (policy || !node->source->is_override)
            return 0;
        rc = config_option_read_default(option, &value);
    } else {
        rc = config_option_read(option, node, &loading->report, &value);
    }
    if (rc == 0 && policy)
        rc = config_option_merge(option, field, &value);
    if (rc == 0)
        rc = has_no_effect(option, node, &value, &is_idle);
    if (rc != 0) {
        config_option_value_done(option, &value);
        return rc;
    }
    if (is_idle)
        warn_later(loading, option, node);
    if (!policy) {
        loading->given[option - config_options] = true;
        if (option->type == CONFIG_ROUTES)
            loading->routes = node;
    }
    if (field)
        config_option_store(option, field, &value);
    else
        config_option_value_done(option, &value);
    return 0;
}

/* Names the section's first option, which is what people mean who give a section a value: `bundle: dist/server.js`. */
static int wants_map(struct config_loading *loading, const struct config_node *node,
                     const char *section)
{
    char wanted[2 * KEY_BYTES + 64];
    size_t bytes = strlen(section);

    for (size_t i = 0; i < config_option_count; i++) {
        const char *name = config_options[i].key;

        if (strncmp(name, section, bytes) != 0 || name[bytes] != '.')
            continue;
        (void)snprintf(wanted, sizeof wanted, "a map of options, such as `%s: {%s: …}`", section,
                       name + bytes + 1);
        return config_option_wrong(&loading->report, node, wanted);
    }
    return config_option_wrong(&loading->report, node, "a map of options");
}

static int walk_child(struct config_loading *loading, const struct config_node *node,
                      const char *prefix, struct config_policy *policy)
{
    char key[KEY_BYTES];
    const struct config_option *option;
    char path[CONFIG_YAML_PATH_BYTES];

    if (snprintf(key, sizeof key - 1, "%s%s", prefix, node->key->text) >= (int)sizeof key - 1) {
        report_unknown(loading, node, prefix, policy != NULL);
        return 0;
    }
    if (policy && strcmp(key, "match") == 0)
        return 0;
    option = find_option(key);
    if (option && policy && !config_option_in_route(option)) {
        config_node_problem(&loading->report, node->key, CONFIG_ERROR,
                            "`%s`: a route can't change this, it holds for the whole server",
                            config_node_path(node, path));
        return 0;
    }
    if (option)
        return config_walk_apply(loading, option, node, policy);
    if (!is_section(key)) {
        report_unknown(loading, node, prefix, policy != NULL);
        return 0;
    }
    if (node->kind == CONFIG_NODE_NULL)
        return 0;
    if (node->kind != CONFIG_NODE_MAP)
        return wants_map(loading, node, key);
    strcat(key, ".");
    return config_walk(loading, node, key, policy);
}

int config_walk(struct config_loading *loading, const struct config_node *map, const char *prefix,
                struct config_policy *policy)
{
    for (const struct config_node *child = map->first; child; child = child->next) {
        if (walk_child(loading, child, prefix, policy) == -ENOMEM)
            return -ENOMEM;
    }
    return 0;
}
