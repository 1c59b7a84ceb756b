/* SPDX-License-Identifier: MIT */
/*
 * ssrctl_render.c - `ssrctl render`: one HTTP request over the Unix socket of the admin interface.
 * HTTP/1.0, so that the answer is neither chunked nor kept alive: its end is the end of the
 * connection.
 */
#include "master/ssrctl.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define RENDER_TIMEOUT_S 60
#define ANSWER_BYTES_MAX ((size_t)256 << 20)

struct answer {
    char *text; /* owned; head and body, terminated */
    size_t bytes;
    int status;
    struct span body;
};

static int send_all(int fd, const char *data, size_t bytes, int timeout_ms)
{
    while (bytes > 0) {
        struct pollfd writable = {.fd = fd, .events = POLLOUT};
        ssize_t n = send(fd, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n >= 0) {
            data += n;
            bytes -= (size_t)n;
        } else if (errno == EAGAIN) {
            if (poll(&writable, 1, timeout_ms) == 0)
                return -ETIMEDOUT;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

static int receive_all(int fd, struct answer *answer, int timeout_ms)
{
    size_t cap_bytes = 0;

    for (;;) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        int ready;
        ssize_t n;

        if (cap_bytes - answer->bytes < 2) {
            char *text;

            cap_bytes = cap_bytes == 0 ? 65536 : cap_bytes * 2;
            text = cap_bytes > ANSWER_BYTES_MAX ? NULL : realloc(answer->text, cap_bytes);
            if (text == NULL)
                return -ENOMEM;
            answer->text = text;
        }
        ready = poll(&readable, 1, timeout_ms);
        if (ready == 0)
            return -ETIMEDOUT;
        n = ready < 0 ? -1 : read(fd, answer->text + answer->bytes, cap_bytes - answer->bytes - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        answer->bytes += (size_t)n;
        answer->text[answer->bytes] = '\0';
        if (n == 0)
            return 0;
    }
}

/* Status line, then fields of which only Content-Length matters: a body cut short is no page. */
static int split_answer(struct answer *answer)
{
    char *end = strstr(answer->text, "\r\n\r\n");
    size_t body_bytes;

    if (end == NULL || sscanf(answer->text, "HTTP/1.%*1[01] %3d", &answer->status) != 1)
        return -EPROTO;
    answer->body.data = end + 4;
    body_bytes = answer->bytes - (size_t)(answer->body.data - answer->text);
    answer->body.bytes = body_bytes;
    *end = '\0';
    for (char *line = strstr(answer->text, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, "content-length:", 15) == 0) {
            unsigned long long length = strtoull(line + 15, NULL, 10);

            if (length > body_bytes)
                return -EPROTO;
            answer->body.bytes = (size_t)length;
        }
    }
    return 0;
}

static int post(const char *http_path, const char *body, int timeout_ms, struct answer *answer)
{
    autofd int fd = client_connect(http_path);
    char head[300];
    int rc;

    if (fd < 0)
        return fd;
    (void)snprintf(head, sizeof head,
                   "POST /render HTTP/1.0\r\nHost: ssrctl\r\nContent-Type: application/json\r\n"
                   "Accept: application/json\r\nContent-Length: %zu\r\n\r\n",
                   strlen(body));
    rc = send_all(fd, head, strlen(head), timeout_ms);
    if (rc == 0)
        rc = send_all(fd, body, strlen(body), timeout_ms);
    if (rc != 0 && rc != -EPIPE && rc != -ECONNRESET) /* then its answer says why */
        return rc;
    rc = receive_all(fd, answer, timeout_ms);
    return rc == 0 ? split_answer(answer) : rc;
}

/* RFC 9457; anything else is shown as it is. */
static void print_problem(const struct answer *answer, const json_t *json)
{
    static const char *const fields[] = {"title", "detail", "stack"};
    bool shown = false;

    (void)fprintf(stderr, "ssrctl: the render was refused or failed (HTTP %d)\n", answer->status);
    for (size_t i = 0; i < array_len(fields); i++) {
        const char *text = json_string_value(json_object_get(json, fields[i]));

        if (text == NULL)
            continue;
        print_text(stderr, text);
        (void)fputc('\n', stderr);
        shown = true;
    }
    if (!shown && answer->body.bytes > 0)
        print_text(stderr, answer->body.data);
}

static int print_answer(const struct ssrctl *options, const struct answer *answer)
{
    json_t *json = json_loadb(answer->body.data, answer->body.bytes, JSON_ALLOW_NUL, NULL);
    const json_t *html = json_object_get(json, "html");
    int rc = SSRCTL_OK;

    if (options->json && json != NULL) {
        (void)fwrite(answer->body.data, 1, answer->body.bytes, stdout);
        (void)fputc('\n', stdout);
    }
    if (answer->status >= 400) {
        print_problem(answer, json);
        rc = SSRCTL_REFUSED;
    } else if (!json_is_string(html)) {
        (void)fputs("ssrctl: the server's answer holds no page\n", stderr);
        rc = SSRCTL_REFUSED;
    } else if (!options->json) {
        (void)fwrite(json_string_value(html), 1, json_string_length(html), stdout);
    }
    json_decref(json);
    return rc;
}

int render_run(const struct ssrctl *options, const char *http_path, const char *url, json_t *data)
{
    json_t *request = json_pack("{s:s s:O*}", "url", url, "data", data);
    autofree char *body = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
    struct answer answer = {0};
    unsigned timeout_s = options->timeout_s == 0 ? RENDER_TIMEOUT_S : options->timeout_s;
    int rc;

    json_decref(request);
    if (body == NULL) {
        (void)fputs("ssrctl: the URL is not UTF-8, or out of memory\n", stderr);
        return SSRCTL_USAGE;
    }
    rc = post(http_path, body, (int)timeout_s * 1000, &answer);
    if (rc == 0) {
        rc = print_answer(options, &answer);
    } else {
        (void)fprintf(stderr, "ssrctl: no page from the admin interface at %s: %s\n", http_path,
                      rc == -EPROTO ? "its answer was cut short or is not HTTP" : strerror(-rc));
        rc = rc == -EACCES ? SSRCTL_NO_PERMISSION : SSRCTL_NO_SERVER;
    }
    free(answer.text);
    return rc;
}
