/* SPDX-License-Identifier: MIT */
/*
 * imports.h - which files does a piece of JavaScript import? Not a parser: it looks for the words
 * `import` and `from` before a quoted text, so it finds every static import and every import() of a
 * literal, and besides what only looks like one, in strings and comments. Whoever asks takes the
 * names as hints: what is no file is passed over, and what was not found is read when it is imported.
 */
#ifndef SSRD_MASTER_IMPORTS_H
#define SSRD_MASTER_IMPORTS_H

#include <stdbool.h>
#include <stddef.h>

#define IMPORTS_NAME_BYTES_MAX 1024

/* specifier: relative ("./a.js", "../b.js"), without quotes, escapes and ${}; borrowed, not
 * NUL-terminated. False ends the scan. */
typedef bool imports_found(void *arg, const char *specifier, size_t bytes);

void imports_scan(const char *text, size_t bytes, imports_found *found, void *arg);

#endif
