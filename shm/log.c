/* SPDX-License-Identifier: MIT */
/*
 * log.c - lines put together in one buffer on the stack and handed to the kernel in one write(2):
 * nothing is allocated, so it works when memory is short, and in a child right after fork(2).
 *
 * The kernel keeps a write whole on files, and on pipes up to PIPE_BUF (4 KiB); a longer line, rare
 * because only JavaScript stacks are that long, may meet another process's line on a pipe.
 *
 * A value that does not fit is cut with "…"; LINE_TAIL_BYTES stay free for what closes a line,
 * so that JSON stays JSON however long the values are.
 */
#include "shm/log.h"

#include "shm/base.h"
#include "shm/log_shared.h"
#include "shm/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 8192
#define LINE_TAIL_BYTES 16 /* …"}\n and what vsnprintf() ends with */
#define NUMBER_BYTES 40

static struct log_shared own_level = {LOG_INFO};
static struct log_shared *level_word = &own_level;
static enum log_format line_format = LOG_TEXT;
static const char *process_name = "ssrd";
static int process_slot = -1;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

struct log_field log_str(const char *key, const char *text)
{
    return log_span(key, text, text ? strlen(text) : 0);
}

struct log_field log_span(const char *key, const char *data, size_t bytes)
{
    return (struct log_field){
        .key = key, .type = LOG_FIELD_STR, .value.str = {.data = data, .bytes = bytes}};
}

struct log_field log_int(const char *key, int64_t value)
{
    return (struct log_field){.key = key, .type = LOG_FIELD_INT, .value.i = value};
}

struct log_field log_uint(const char *key, uint64_t value)
{
    return (struct log_field){.key = key, .type = LOG_FIELD_UINT, .value.u = value};
}

struct log_field log_ms(const char *key, double milliseconds)
{
    return (struct log_field){.key = key, .type = LOG_FIELD_MS, .value.d = milliseconds};
}

void log_process(const char *process, int slot)
{
    process_name = process;
    process_slot = slot;
}

void log_set_format(enum log_format format)
{
    line_format = format;
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&level_word->level, (uint32_t)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    uint32_t level = atomic_load_explicit(&level_word->level, memory_order_relaxed);

    return level > LOG_DEBUG ? LOG_DEBUG : (enum log_level)level;
}

bool log_enabled(enum log_level level)
{
    return level <= log_get_level();
}

void log_share(struct log_shared *shared)
{
    enum log_level level =
        log_get_level(); /* a fresh region says 0, which would mean errors only */

    level_word = shared;
    log_set_level(level);
}

int log_level_parse(const char *name, enum log_level *ret_level)
{
    for (size_t i = 0; i < array_len(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
    return (size_t)level < array_len(level_names) ? level_names[level] : "debug";
}

struct line {
    size_t bytes;
    char data[LINE_BYTES];
};

static size_t line_room(const struct line *line)
{
    size_t end = LINE_BYTES - LINE_TAIL_BYTES;

    return line->bytes < end ? end - line->bytes : 0;
}

/* For what must be there whole: false, and nothing is written, when it has no room. */
static bool put(struct line *line, const char *data, size_t bytes)
{
    if (bytes > line_room(line))
        return false;
    memcpy(line->data + line->bytes, data, bytes);
    line->bytes += bytes;
    return true;
}

static bool put_text(struct line *line, const char *text)
{
    return put(line, text, strlen(text));
}

/* What ends a value or a line: the tail is kept free for it. */
static void close_with(struct line *line, const char *text)
{
    size_t bytes = strlen(text);

    if (bytes <= LINE_BYTES - line->bytes) {
        memcpy(line->data + line->bytes, text, bytes);
        line->bytes += bytes;
    }
}

__attribute__((format(printf, 2, 3))) static bool put_format(struct line *line, const char *format,
                                                             ...)
{
    char text[256];
    va_list args;
    int bytes;

    va_start(args, format);
    bytes = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return bytes >= 0 && (size_t)bytes < sizeof text && put(line, text, (size_t)bytes);
}

/* One character or bad byte as it may stand in a line. Returns the bytes taken from data. */
static size_t escape_next(const char *data, size_t bytes, char out[static 16])
{
    bool json = line_format == LOG_JSON;
    uint32_t code = 0;
    size_t taken = utf8_next(data, bytes, &code);

    if (taken == 0) {
        (void)snprintf(out, 16, json ? "\\ufffd" : "\\x%02x", (unsigned char)data[0]);
        return 1;
    }
    if (code == '"' || code == '\\')
        (void)snprintf(out, 16, "\\%c", (char)code);
    else if (code == '\n' || code == '\r' || code == '\t')
        (void)snprintf(out, 16, "\\%c", code == '\n' ? 'n' : code == '\r' ? 'r' : 't');
    else if (utf8_is_control(code))
        (void)snprintf(out, 16, json || code > 0xff ? "\\u%04x" : "\\x%02x", code);
    else
        (void)snprintf(out, 16, "%.*s", (int)taken, data);
    return taken;
}

static void put_escaped(struct line *line, const char *data, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        char piece[16];

        at += escape_next(data + at, bytes - at, piece);
        if (!put_text(line, piece)) {
            close_with(line, "…");
            return;
        }
    }
}

/* Text lines quote only what would be ambiguous bare. */
static bool needs_quotes(const char *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)data[i];

        if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c >= 0x7f)
            return true;
    }
    return bytes == 0;
}

static void put_string(struct line *line, const char *data, size_t bytes)
{
    bool quoted = line_format == LOG_JSON || needs_quotes(data, bytes);

    if (quoted)
        (void)put_text(line, "\"");
    put_escaped(line, data, bytes);
    if (quoted)
        close_with(line, "\"");
}

static void put_number(struct line *line, const struct log_field *field)
{
    double d = field->value.d;

    if (field->type == LOG_FIELD_INT)
        (void)put_format(line, "%lld", (long long)field->value.i);
    else if (field->type == LOG_FIELD_UINT)
        (void)put_format(line, "%llu", (unsigned long long)field->value.u);
    else if (!isfinite(d))
        (void)put_text(line, "null"); /* JSON has no word for it */
    else
        (void)put_format(line, field->type == LOG_FIELD_MS && fabs(d) < 1e15 ? "%.3f" : "%.9g", d);
}

static void put_field(struct line *line, const struct log_field *field)
{
    bool json = line_format == LOG_JSON;

    if (field->type == LOG_FIELD_STR && !field->value.str.data)
        return;
    /* Room for the key, its punctuation and a number, or the field is left out as a whole. */
    if (line_room(line) < strlen(field->key) + NUMBER_BYTES)
        return;
    (void)put_format(line, json ? ",\"%s\":" : " %s=", field->key);
    if (field->type == LOG_FIELD_STR)
        put_string(line, field->value.str.data, field->value.str.bytes);
    else
        put_number(line, field);
}

static void put_time(struct line *line)
{
    uint64_t now_ms = wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm tm;
    char text[32];

    (void)gmtime_r(&seconds, &tm);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)put_format(line, "%s.%03uZ", text, (unsigned)(now_ms % 1000));
}

static void put_head(struct line *line, enum log_level level, const char *message)
{
    char process[32];

    if (line_format == LOG_JSON) {
        (void)put_text(line, "{\"time\":\"");
        put_time(line);
        (void)put_format(line, "\",\"level\":\"%s\",\"process\":\"%s\"", log_level_name(level),
                         process_name);
        if (process_slot >= 0)
            (void)put_format(line, ",\"worker\":%d", process_slot);
        (void)put_text(line, ",\"message\":");
        put_string(line, message, strlen(message));
        return;
    }
    if (process_slot >= 0)
        (void)snprintf(process, sizeof process, "%s%d", process_name, process_slot);
    else
        (void)snprintf(process, sizeof process, "%s", process_name);
    put_time(line);
    (void)put_format(line, " %-5s %-7s ", log_level_name(level), process);
    put_escaped(line, message, strlen(message));
}

void log_event(enum log_level level, const char *message, const struct log_field *fields,
               size_t field_count)
{
    struct line line; /* not zeroed: 8 KiB a line */
    int error = errno;

    line.bytes = 0;
    put_head(&line, level, message);
    for (size_t i = 0; i < field_count; i++)
        put_field(&line, &fields[i]);
    close_with(&line, line_format == LOG_JSON ? "}\n" : "\n");
    while (write(STDERR_FILENO, line.data, line.bytes) < 0 && errno == EINTR)
        ;
    errno = error; /* a log line between a call and the look at its errno changes nothing */
}
