/* SPDX-License-Identifier: MIT */
/* mime.c - see mime.h. */
#include "worker/mime.h"

#include "shm/base.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MIME_FILE_BYTES_MAX (1024 * 1024)

struct entry {
    const char *extension;
    const char *type;
};

/* What browsers insist on, whatever the system's table says; sorted by extension. RFC 9239 for
 * JavaScript; the fonts by RFC 8081. */
static const struct entry built_in[] = {
    {"avif", "image/avif"},
    {"css", "text/css; charset=utf-8"},
    {"gif", "image/gif"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/x-icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xml", "application/xml"},
};

struct mime {
    struct entry *entry; /* of the system's table, sorted by extension */
    size_t count;
    char *text; /* what they point into */
};

static int compare(const void *a, const void *b)
{
    return strcasecmp(((const struct entry *)a)->extension, ((const struct entry *)b)->extension);
}

/* The file's lines; "" when there is none. NULL: out of memory. */
static char *read_text(const char *file)
{
    FILE *in = file ? fopen(file, "re") : NULL;
    char *text = calloc(1, in ? MIME_FILE_BYTES_MAX + 1 : 1);

    if (in && text)
        text[fread(text, 1, MIME_FILE_BYTES_MAX, in)] = '\0';
    if (in)
        (void)fclose(in);
    return text;
}

/* "type extension extension": an entry each. Texts are ended in place. */
static void take_line(struct mime *mime, char *line)
{
    char *state = NULL;
    char *type = strtok_r(line, " \t\r", &state);

    if (!type || type[0] == '#')
        return;
    for (char *word = strtok_r(NULL, " \t\r", &state); word; word = strtok_r(NULL, " \t\r", &state))
        mime->entry[mime->count++] = (struct entry){word, type};
}

struct mime *mime_new(const char *file)
{
    struct mime *mime = calloc(1, sizeof *mime);
    size_t words = 0;
    char *state = NULL;

    if (!mime)
        return NULL;
    mime->text = read_text(file);
    if (!mime->text) {
        mime_free(mime);
        return NULL;
    }
    for (const char *at = mime->text; *at; at++)
        words += *at == ' ' || *at == '\t' || *at == '\n';
    mime->entry = calloc(words + 1, sizeof mime->entry[0]);
    if (!mime->entry) {
        mime_free(mime);
        return NULL;
    }
    for (char *line = strtok_r(mime->text, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        take_line(mime, line);
    qsort(mime->entry, mime->count, sizeof mime->entry[0], compare);
    return mime;
}

void mime_free(struct mime *mime)
{
    if (!mime)
        return;
    free(mime->entry);
    free(mime->text);
    free(mime);
}

const char *mime_type(const struct mime *mime, const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *dot = strrchr(slash ? slash : name, '.');
    struct entry wanted = {dot ? dot + 1 : "", ""};
    const struct entry *found =
        bsearch(&wanted, built_in, array_len(built_in), sizeof built_in[0], compare);

    if (!found)
        found = bsearch(&wanted, mime->entry, mime->count, sizeof mime->entry[0], compare);
    return found ? found->type : "application/octet-stream";
}
