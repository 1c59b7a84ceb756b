/* SPDX-License-Identifier: MIT */
/*
 * bundle.h - the bundle's bytes, and those of the files that it imports, read by the master (which
 * may still be root) and inherited by zygotes and workers (which are not), so that all processes of
 * a generation see one version. What the bytes mean is the zygote's business.
 */
#ifndef SSRD_MASTER_BUNDLE_H
#define SSRD_MASTER_BUNDLE_H

#include "shm/base.h"
#include "shm/heritage.h"

#define BUNDLE_BYTES_MAX (64 * MIB)

/* Further files are only looked for, so beyond these the rest is left to be read when needed. */
#define BUNDLE_FILES_MAX 10000u
#define BUNDLE_FILES_BYTES_MAX (256 * MIB)

struct bundle {
    char *source;
    size_t bytes;
    uint64_t hash;              /* XXH3 of the bytes, and of the names and bytes of the files */
    bool package_is_module;     /* a .js file whose package.json has "type": "module" */
    struct heritage_file *file; /* those imported with a literal name, and by these; by name */
    size_t file_count;
    char *template_text; /* NULL: none */
    size_t template_bytes;
    struct span template_part[HERITAGE_TEMPLATE_PARTS]; /* into it */
    char *manifest;                                     /* NULL: none */
    size_t manifest_bytes;
};

/*
 * Read path, and the .js, .mjs, .cjs and .json files that it imports (imports.h), and their source maps;
 * those that can't be read are passed over. 0, or negative errno and in problem (cap bytes) one line that names the file and what
 * to do: missing, unreadable, a directory, empty, above BUNDLE_BYTES_MAX.
 */
int bundle_read(const char *path, struct bundle *ret_bundle, char *problem, size_t cap);

/* One file, whole, with a zero behind it. 0, *ret_text owned / negative errno, *ret_wrong: why and what to do. */
int bundle_read_file(const char *path, char **ret_text, size_t *ret_bytes, const char **ret_wrong);

void bundle_done(struct bundle *bundle);

#endif
