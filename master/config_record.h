/* SPDX-License-Identifier: MIT */
/*
 * config_record.h - options that are lists of maps with fields of their own (static): a table of
 * fields a kind, read with the types of config_option.h. For config_option.c, which calls this for
 * values of type RECORDS.
 */
#ifndef SSRD_MASTER_CONFIG_RECORD_H
#define SSRD_MASTER_CONFIG_RECORD_H

#include "master/config_option.h"

/*
 * The items of a list, *ret_list owned (config_record_done). All items are looked at. 0 / -EINVAL:
 * reported / -ENOMEM.
 */
int config_record_read(const struct config_option *option, const struct config_node *node,
                       struct config_report *report, struct config_records *ret_list);

/* A deep copy. 0 / -ENOMEM. */
int config_record_copy(const struct config_option *option, const struct config_records *from,
                       struct config_records *ret_list);

/* Frees the items and empties the list. */
void config_record_done(const struct config_option *option, struct config_records *list);

#endif
