/* SPDX-License-Identifier: MIT */
/*
 * config_yaml.h - a YAML document as a tree that remembers where each thing stood. Says what is
 * wrong with the YAML as such; what the keys mean is not its business. The only user of libyaml.
 *
 * Limits, so that a file can't be a bomb: depth, nodes (aliases count each time they are used),
 * bytes.
 */
#ifndef SSRD_MASTER_CONFIG_YAML_H
#define SSRD_MASTER_CONFIG_YAML_H

#include "master/config_problem.h"

#define CONFIG_YAML_DEPTH_MAX 32
#define CONFIG_YAML_NODES_MAX 10000
#define CONFIG_YAML_BYTES_MAX (1 * MIB)
#define CONFIG_YAML_PATH_BYTES 256

enum config_node_kind { CONFIG_NODE_NULL, CONFIG_NODE_SCALAR, CONFIG_NODE_LIST, CONFIG_NODE_MAP };

struct config_node {
    enum config_node_kind kind;
    bool is_plain; /* a scalar without quotes */
    uint32_t line; /* 1-based */
    uint32_t column;
    char *text; /* scalars, ${…} replaced; "" otherwise */
    const struct config_source *source;
    struct config_node *parent;
    struct config_node *key;   /* in a map: a scalar, owned; NULL elsewhere */
    struct config_node *first; /* owned, in the order of the file */
    struct config_node *last;
    struct config_node *next;
    struct config_node *pending_key; /* while a map is being read */
    size_t count;                    /* children */
    size_t index;                    /* which child of its parent, from 0 */
};

/*
 * Read source, which must outlive the tree. Duplicate keys are reported, and are in the tree all
 * the same. 0, *ret_root owned (NULL: an empty file) / -EINVAL: the report says why / -ENOMEM.
 */
int config_yaml_parse(const struct config_source *source, struct config_report *report,
                      struct config_node **ret_root);

/* A scalar of that text, ${…} not looked at, or a map when text is NULL; parts of overrides
 * and defaults. Returns owned; NULL: out of memory. */
struct config_node *config_node_new(const struct config_source *source, const char *text);

/* Hang a child into a map under a key. Takes both. */
void config_node_put(struct config_node *map, struct config_node *key, struct config_node *child);

void config_node_free(struct config_node *node); /* with all below; takes NULL */

/* "routes[1].cache.ttl". Cut to fit; returns out. */
const char *config_node_path(const struct config_node *node,
                             char out[static CONFIG_YAML_PATH_BYTES]);

/* "a list", "`abc`": what stands there, for messages. Returns out. */
const char *config_node_found(const struct config_node *node, char *out, size_t cap_bytes);

/* A problem at a node. */
__attribute__((format(printf, 4, 5))) void config_node_problem(struct config_report *report,
                                                               const struct config_node *node,
                                                               enum config_severity severity,
                                                               const char *format, ...);

#endif
