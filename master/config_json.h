/* SPDX-License-Identifier: MIT */
/* config_json.h - a YAML value of any shape as JSON text: `env`, which JavaScript reads. */
#ifndef SSRD_MASTER_CONFIG_JSON_H
#define SSRD_MASTER_CONFIG_JSON_H

#include "master/config_yaml.h"

/*
 * Maps become objects, lists arrays. Plain scalars are typed as YAML 1.1 does: null, booleans (true,
 * yes, on …), decimal and 0x integers, decimal fractions; all others, and those in quotes, are
 * strings. Numbers that begin with a needless 0 (zip codes, YAML's octals), and ones too large to be
 * exact in a double, stay strings. ret_text: returned owned. 0 / -ENOMEM.
 */
int config_json(const struct config_node *node, char **ret_text);

#endif
