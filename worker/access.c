/* SPDX-License-Identifier: MIT */
/* access.c - see access.h. */
#include "worker/access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BUFFER_BYTES 32768u
#define LINE_BYTES_MAX 4096u

static struct {
    int fd;           /* 0: off (descriptor 0 is never a log) */
    const char *path; /* NULL: standard error */
    size_t bytes;
    char buffer[BUFFER_BYTES];
} logfile;

static int open_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

    return fd >= 0 ? fd : -errno;
}

int access_open(const char *where)
{
    int fd;

    if (strcmp(where, "off") == 0 || *where == 0)
        return 0;
    if (strcmp(where, "stderr") == 0) {
        logfile.fd = STDERR_FILENO;
        logfile.path = NULL;
        return 0;
    }
    fd = open_file(where);
    if (fd < 0)
        return fd;
    logfile.fd = fd;
    logfile.path = where;
    return 0;
}

bool access_is_on(void)
{
    return logfile.fd > 0;
}

void access_flush(void)
{
    size_t at = 0;

    while (at < logfile.bytes) {
        ssize_t n = write(logfile.fd, logfile.buffer + at, logfile.bytes - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* a full disk costs the log, not the service */
        at += (size_t)n;
    }
    logfile.bytes = 0;
}

void access_close(void)
{
    if (!access_is_on())
        return;
    access_flush();
    if (logfile.path)
        (void)close(logfile.fd);
    logfile.fd = 0;
}

void access_reopen(void)
{
    int fd;

    if (!access_is_on() || !logfile.path)
        return;
    access_flush();
    fd = open_file(logfile.path);
    if (fd < 0)
        return;
    (void)close(logfile.fd);
    logfile.fd = fd;
}

struct line {
    char text[LINE_BYTES_MAX];
    size_t bytes;
};

/* Client text: what could end the quoted field or the line is written as \xHH, as nginx does. */
static void add_escaped(struct line *l, const char *data, size_t bytes, size_t max)
{
    static const char hex[] = "0123456789ABCDEF";

    if (bytes == 0) {
        l->text[l->bytes++] = '-';
        return;
    }
    for (size_t i = 0; i < bytes && i < max; i++) {
        unsigned char c = (unsigned char)data[i];

        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') {
            l->text[l->bytes++] = '\\';
            l->text[l->bytes++] = 'x';
            l->text[l->bytes++] = hex[c >> 4];
            l->text[l->bytes++] = hex[c & 15];
        } else {
            l->text[l->bytes++] = (char)c;
        }
    }
}

static void add_format(struct line *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add_format(struct line *l, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(l->text + l->bytes, sizeof l->text - l->bytes, format, args);
    va_end(args);
    if (n > 0)
        l->bytes += (size_t)n;
}

static void add_header(struct line *l, const struct http_parse *head, const char *name)
{
    int i = head ? http_parse_find(head, name, strlen(name), 0) : -1;
    struct span value = {"", 0};

    if (i >= 0)
        value = http_parse_value(head, i);
    add_format(l, " \"");
    add_escaped(l, value.data, value.bytes, 200);
    add_format(l, "\"");
}

/* The bounds of the parts, 4 bytes for each of theirs, keep a line below LINE_BYTES_MAX. */
void access_write(const struct access_line *from)
{
    static struct line l;
    time_t seconds = (time_t)(from->wall_ms / 1000);
    char date[40];
    struct tm tm;

    if (!access_is_on())
        return;
    l.bytes = 0;
    (void)gmtime_r(&seconds, &tm);
    (void)strftime(date, sizeof date, "%d/%b/%Y:%H:%M:%S +0000", &tm);
    add_format(&l, "%s - - [%s] \"", *from->peer ? from->peer : "-", date);
    if (from->head) {
        struct span target = http_parse_target(from->head);

        add_format(&l, "%s ", http_method_text(from->head->method));
        add_escaped(&l, target.data, target.bytes, 400);
        add_format(&l, " HTTP/1.%d", from->head->minor);
    }
    add_format(&l, "\" %u %llu", from->status, (unsigned long long)from->body_bytes);
    add_header(&l, from->head, "referer");
    add_header(&l, from->head, "user-agent");
    add_format(&l, " cache=%s us=%llu\n", from->cache, (unsigned long long)from->took_us);
    if (l.bytes > BUFFER_BYTES - logfile.bytes)
        access_flush();
    memcpy(logfile.buffer + logfile.bytes, l.text, l.bytes);
    logfile.bytes += l.bytes;
}
