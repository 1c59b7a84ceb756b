/* SPDX-License-Identifier: MIT */
/* failure_page.c - see failure_page.h. */
#include "worker/failure_page.h"

#include "worker/http_parse.h"
#include "worker/http_reply.h"

#include <stdio.h>
#include <string.h>

#define PART_BYTES_MAX 2000u /* of each text; escaped it may be six times as long */

bool failure_page_wants_html(const struct http_parse *head)
{
    int i = http_parse_find(head, "accept", 6, 0);
    struct span value;

    if (i < 0)
        return false;
    value = http_parse_value(head, i);
    return memmem(value.data, value.bytes, "text/html", 9) != NULL;
}

static void write_escaped(FILE *to, const char *text)
{
    for (size_t i = 0; text[i] != '\0' && i < PART_BYTES_MAX; i++) {
        const char *entity = text[i] == '<'   ? "&lt;"
                             : text[i] == '>' ? "&gt;"
                             : text[i] == '&' ? "&amp;"
                             : text[i] == '"' ? "&quot;"
                                              : NULL;

        if (entity)
            (void)fputs(entity, to);
        else
            (void)fputc(text[i], to);
    }
}

static void write_part(FILE *to, bool html, const char *element, const char *text)
{
    if (text[0] == '\0')
        return;
    if (!html) {
        (void)fprintf(to, "%.*s\n\n", (int)PART_BYTES_MAX, text);
        return;
    }
    (void)fprintf(to, "<%s>", element);
    write_escaped(to, text);
    (void)fprintf(to, "</%s>\n", element);
}

static void write_page(FILE *to, const struct js_error *e, uint16_t status, const char *id,
                       bool html)
{
    char where[600] = "";

    if (html)
        (void)fprintf(to,
                      "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
                      "<title>%u %s</title>\n<style>body{font:16px/1.5 system-ui,sans-serif;"
                      "max-width:60rem;margin:2rem auto;padding:0 1rem}pre{background:#f4f4f4;"
                      "padding:1rem;overflow:auto}h1{font-size:1.3rem;color:#b00}</style>\n",
                      status, reply_status_text(status));
    if (e->line > 0)
        (void)snprintf(where, sizeof where, "%s:%u:%u", e->file, e->line, e->column);
    write_part(to, html, "h1", e->message);
    write_part(to, html, "p", where);
    write_part(to, html, "pre", e->frame[0] ? e->frame : e->source);
    write_part(to, html, "p", e->hint);
    write_part(to, html, "pre", e->stack);
    (void)fprintf(to, html ? "<p>request %s</p>\n" : "request %s\n", id);
}

char *failure_page(const struct js_error *error, uint16_t status, const char *id, bool html)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    if (!to)
        return NULL;
    write_page(to, error, status, id, html);
    if (fclose(to) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
