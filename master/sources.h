/* SPDX-License-Identifier: MIT */
/*
 * sources.h - all that a generation is made of beside its configuration, read before it starts: the
 * bundle with its files, the template, and whether the folders of files are there.
 */
#ifndef SSRD_MASTER_SOURCES_H
#define SSRD_MASTER_SOURCES_H

#include "master/bundle.h"
#include "shm/config.h"

/* 0, *ret_bundle owned / negative errno, and in problem (cap bytes) a line that names what is at
 * fault and says what to do. */
int sources_read(const struct config *config, struct bundle *ret_bundle, char *problem, size_t cap);

/*
 * Where a template is cut: text up to the first outlet, between the two, behind the second. head, outlet: names without the
 * comment's marks, "ssr-head". 0, *ret_part into text / -EINVAL, and *ret_wrong: what is wrong.
 */
int sources_split_template(struct span text, const char *head, const char *outlet,
                           struct span ret_part[static HERITAGE_TEMPLATE_PARTS],
                           const char **ret_wrong);

#endif
