/* SPDX-License-Identifier: MIT */
/*
 * config_problem.c - `FILE:LINE:COL: message`, then the line it points to and a caret. Lines are
 * shown through a window and without control characters: a file may hold anything.
 */
#include "master/config_problem.h"

#include "shm/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WINDOW_CHARACTERS 100

void config_problems_done(struct config_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        free(problems->text[i]);
    free(problems->text);
    *problems = (struct config_problems){0};
}

void config_problem_done(struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        free(report->item[i].text);
    report->count = 0;
}

static bool find_line(const struct config_source *source, uint32_t line, struct span *ret_line)
{
    const char *at = source->text;
    const char *newline;
    const char *end;

    if (!at || source->is_override || line == 0)
        return false;
    end = at + source->bytes;
    for (uint32_t i = 1; i < line; i++) {
        newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline)
            return false;
        at = newline + 1;
    }
    newline = memchr(at, '\n', (size_t)(end - at));
    *ret_line = (struct span){at, (size_t)((newline ? newline : end) - at)};
    if (ret_line->bytes > 0 && at[ret_line->bytes - 1] == '\r')
        ret_line->bytes--;
    return true;
}

/* The part of the line around the column, one visible character for each of the line's. */
static void write_caret(FILE *out, struct span line, uint32_t column)
{
    uint32_t first = column > WINDOW_CHARACTERS - 20 ? column - WINDOW_CHARACTERS / 2 : 1;
    uint32_t character = 1;

    fputs("\n    ", out);
    for (size_t at = 0; at < line.bytes && character < first + WINDOW_CHARACTERS; character++) {
        uint32_t code = 0;
        size_t bytes = utf8_next(line.data + at, line.bytes - at, &code);

        if (character >= first) {
            if (bytes == 0 || utf8_is_control(code))
                fputc(code == '\t' ? ' ' : '?', out);
            else
                fwrite(line.data + at, 1, bytes, out);
        }
        at += bytes > 0 ? bytes : 1;
    }
    fprintf(out, "\n    %*s", (int)(column - first + 1), "^");
}

/* NULL: out of memory. */
static char *format_problem(const struct config_source *source, uint32_t line, uint32_t column,
                            enum config_severity severity, const char *format, va_list args)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    struct span source_line;
    bool failed;

    if (!out)
        return NULL;
    fputs(source->name[0] ? source->name : "config", out); /* no file: defaults and -o */
    if (line > 0 && !source->is_override)
        fprintf(out, ":%u:%u", line, column);
    fputs(severity == CONFIG_WARNING ? ": warning: " : ": ", out);
    vfprintf(out, format, args);
    if (severity == CONFIG_ERROR && find_line(source, line, &source_line) && source_line.bytes > 0)
        write_caret(out, source_line, column);
    failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

void config_problem_add_args(struct config_report *report, const struct config_source *source,
                             uint32_t line, uint32_t column, enum config_severity severity,
                             const char *format, va_list args)
{
    char *text;

    report->errors += severity == CONFIG_ERROR;
    if (report->count == CONFIG_PROBLEMS_MAX) {
        report->left_out++;
        return;
    }
    text = format_problem(source, line, column, severity, format, args);
    if (!text) {
        report->no_memory = true;
        return;
    }
    report->item[report->count].text = text;
    report->item[report->count].order =
        source->is_override || line == 0 ? UINT64_MAX : (uint64_t)line << 32 | column;
    report->count++;
}

void config_problem_add(struct config_report *report, const struct config_source *source,
                        uint32_t line, uint32_t column, enum config_severity severity,
                        const char *format, ...)
{
    va_list args;

    va_start(args, format);
    config_problem_add_args(report, source, line, column, severity, format, args);
    va_end(args);
}

/* Insertion: stable, and at most CONFIG_PROBLEMS_MAX of them, nearly in order already. */
static void sort_items(struct config_report *report)
{
    for (size_t i = 1; i < report->count; i++) {
        for (size_t j = i; j > 0 && report->item[j - 1].order > report->item[j].order; j--) {
            char *text = report->item[j].text;
            uint64_t order = report->item[j].order;

            report->item[j] = report->item[j - 1];
            report->item[j - 1].text = text;
            report->item[j - 1].order = order;
        }
    }
}

int config_problem_take(struct config_report *report, struct config_problems *ret_problems)
{
    char **text = calloc(report->count + 1, sizeof text[0]);
    size_t count = 0;

    if (!text)
        return -ENOMEM;
    sort_items(report);
    for (size_t i = 0; i < report->count; i++)
        text[count++] = report->item[i].text;
    if (report->left_out > 0 && asprintf(&text[count], "… and %zu more", report->left_out) > 0)
        count++;
    *ret_problems =
        (struct config_problems){.text = text, .count = count, .errors = report->errors};
    report->count = 0;
    return 0;
}
