/* SPDX-License-Identifier: MIT */
/*
 * log.h - one event, one line, on standard error: `key=value` text or JSON.
 * Used by both processes. The level lives in shared memory once log_share() was
 * called, so that `ssrctl log LEVEL` reaches every process at once.
 *
 * Every value is escaped (control characters, quotes, bytes that are not UTF-8), so
 * a client's text can't forge a line. A line is written with one write(2), so
 * lines of several processes don't mix.
 */
#ifndef SSRD_SHM_LOG_H
#define SSRD_SHM_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

enum log_field_type {
    LOG_FIELD_STR,
    LOG_FIELD_INT,
    LOG_FIELD_UINT,
    LOG_FIELD_MS,
    LOG_FIELD_DOUBLE
};

struct log_field {
    const char *key;
    enum log_field_type type;
    union {
        struct {
            const char *data; /* NULL: the field is left out */
            size_t bytes;
        } str;
        int64_t i;
        uint64_t u;
        double d;
    } value;
};

struct log_field log_str(const char *key, const char *text); /* text: NUL-terminated or NULL */
struct log_field log_span(const char *key, const char *data, size_t bytes);
struct log_field log_int(const char *key, int64_t value);
struct log_field log_uint(const char *key, uint64_t value);
struct log_field log_ms(const char *key, double milliseconds);

/*
 * process: "master", "zygote", "worker"; kept, so a literal.
 * slot:    a worker's number, or -1.
 */
void log_process(const char *process, int slot);
void log_set_format(enum log_format format);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
bool log_enabled(enum log_level level);

/* From now on the level is this word (an enum log_level) in shared memory; keeps it. */
struct log_shared;
void log_share(struct log_shared *level_word);

/* level name <-> enum; -EINVAL when unknown */
int log_level_parse(const char *name, enum log_level *ret_level);
const char *log_level_name(enum log_level level);

/* message: a literal in plain words, without client text. Never fails, never allocates. */
void log_event(enum log_level level, const char *message, const struct log_field *fields,
               size_t field_count);

#define LOG_AT(level, message, ...)                                                                \
    do {                                                                                           \
        if (log_enabled(level)) {                                                                  \
            const struct log_field fields_[] = {{0}, ##__VA_ARGS__};                               \
            log_event(level, message, fields_ + 1, sizeof fields_ / sizeof fields_[0] - 1);        \
        }                                                                                          \
    } while (0)

#define log_error(...) LOG_AT(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_DEBUG, __VA_ARGS__)

#endif
