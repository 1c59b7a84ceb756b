/* SPDX-License-Identifier: MIT */
/*
 * config_value.h - the small languages inside YAML scalars: durations, sizes, numbers, addresses,
 * header names, `${NAME}`. Text in, plain values out; knows neither YAML nor options nor positions.
 *
 * All texts are NUL-terminated. Results are written on success only.
 */
#ifndef SSRD_MASTER_CONFIG_VALUE_H
#define SSRD_MASTER_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_FORMAT_BYTES 32
#define CONFIG_SHOW_BYTES 96

/* yes no on off true false, in the three spellings of YAML 1.1 (yes, Yes, YES). 0 / -EINVAL. */
int config_value_bool(const char *text, bool *ret_value);

/* Decimal digits. 0 / -EINVAL / -ERANGE: above UINT64_MAX. */
int config_value_count(const char *text, uint64_t *ret_value);

/* "250ms", "5s", "1h30m", "0.5s"; us ms s m h d y (365 days); a bare number is seconds.
 * Microseconds; what is finer is refused. 0 / -EINVAL / -ERANGE. */
int config_value_duration(const char *text, uint64_t *ret_us);

/* "64KiB", "1.5GiB"; B KiB MiB GiB TiB, powers of 1024; a bare number is bytes. 0 / -EINVAL /
 * -ERANGE. */
int config_value_size(const char *text, uint64_t *ret_bytes);

/* A share, "0.1": digits, at most one point. 0 / -EINVAL. */
int config_value_fraction(const char *text, double *ret_value);

/* host:port, [v6]:port, unix:/path, systemd. 0 / -EINVAL: why and what to write instead is in
 * why[CONFIG_WHY_BYTES]. Port 0 means any free one. */
#define CONFIG_WHY_BYTES 256
int config_value_address(const char *text, char *why);

/* A token of RFC 9110, section 5.6.2: names of headers and cookies. */
bool config_value_is_token(const char *text);

/* Text fit for a header's value: no control characters but tabs, no blanks at its ends. */
bool config_value_is_header(const char *text);

/*
 * Replace ${NAME} and ${NAME:-default} (unset or empty: the default) from the environment; $${
 * stands for ${. ret_text: returned owned. name: CONFIG_SHOW_BYTES for the name that was at fault.
 * 0 / -ENOENT: not set, no default / -EINVAL: no closing brace, or not a name / -E2BIG: above 64
 * KiB / -ENOMEM.
 */
int config_value_expand(const char *text, char **ret_text, char *name);

/* The shortest text that reads back as the value: "1m30s" "16MiB". Return out. */
const char *config_value_format_us(uint64_t us, char out[static CONFIG_FORMAT_BYTES]);
const char *config_value_format_bytes(uint64_t bytes, char out[static CONFIG_FORMAT_BYTES]);

/* Foreign text for a message: cut, control characters and bad bytes as '?'. Returns out. */
const char *config_value_show(const char *text, char out[static CONFIG_SHOW_BYTES]);

/* How many keystrokes (insert, delete, replace, swap neighbours) lie between two words, for "did
 * you mean"; words above 40 bytes are never near (SIZE_MAX). */
size_t config_value_distance(const char *a, const char *b);

#endif
