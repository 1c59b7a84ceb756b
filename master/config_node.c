/* SPDX-License-Identifier: MIT */
/*
 * config_node.c - the tree that config_yaml.c builds: making, hanging, freeing and naming its
 * nodes.
 */
#include "master/config_yaml.h"

#include "master/config_value.h"

#include <stdio.h>
#include <string.h>

struct config_node *config_node_new(const struct config_source *source, const char *text)
{
    struct config_node *node = calloc(1, sizeof *node);

    if (!node)
        return NULL;
    node->kind = text ? CONFIG_NODE_SCALAR : CONFIG_NODE_MAP;
    node->source = source;
    node->text = strdup(text ? text : "");
    if (!node->text) {
        free(node);
        return NULL;
    }
    return node;
}

void config_node_put(struct config_node *parent, struct config_node *key, struct config_node *child)
{
    child->parent = parent;
    child->key = key;
    child->index = parent->count++;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

/* As deep as CONFIG_YAML_DEPTH_MAX at most. */
void config_node_free(struct config_node *node)
{
    if (!node)
        return;
    while (node->first) {
        struct config_node *next = node->first->next;

        config_node_free(node->first);
        node->first = next;
    }
    config_node_free(node->key);
    config_node_free(node->pending_key);
    free(node->text);
    free(node);
}

const char *config_node_path(const struct config_node *node,
                             char out[static CONFIG_YAML_PATH_BYTES])
{
    size_t used = 0;

    out[0] = '\0';
    if (node->parent) {
        (void)config_node_path(node->parent, out);
        used = strlen(out);
    }
    if (node->key) {
        char show[CONFIG_SHOW_BYTES];

        (void)snprintf(out + used, CONFIG_YAML_PATH_BYTES - used, "%s%s", used > 0 ? "." : "",
                       config_value_show(node->key->text, show));
    } else if (node->parent && node->parent->kind == CONFIG_NODE_LIST) {
        (void)snprintf(out + used, CONFIG_YAML_PATH_BYTES - used, "[%zu]", node->index);
    }
    return out;
}

const char *config_node_found(const struct config_node *node, char *out, size_t cap_bytes)
{
    static const char *const kinds[] = {
        [CONFIG_NODE_NULL] = "nothing", [CONFIG_NODE_LIST] = "a list", [CONFIG_NODE_MAP] = "a map"};
    char show[CONFIG_SHOW_BYTES];

    if (node->kind != CONFIG_NODE_SCALAR)
        (void)snprintf(out, cap_bytes, "%s", kinds[node->kind]);
    else if (node->text[0] == '\0')
        (void)snprintf(out, cap_bytes, "an empty text");
    else
        (void)snprintf(out, cap_bytes, "`%s`", config_value_show(node->text, show));
    return out;
}

void config_node_problem(struct config_report *report, const struct config_node *node,
                         enum config_severity severity, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    config_problem_add_args(report, node->source, node->line, node->column, severity, format, args);
    va_end(args);
}
