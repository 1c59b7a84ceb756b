/* SPDX-License-Identifier: MIT */
/*
 * fetch_transfer.c - one request of a fetch as an easy handle of libcurl: how it is asked for, what its
 * answer is made into. Redirects are followed by polyfills/fetch.js, each as a request of its own, so that
 * `fetch.allow` judges each.
 */
#include "shm/config.h"
#include "worker/fetch_allow.h"
#include "worker/fetch_head.h"
#include "worker/fetch_inside.h"
#include "worker/fetch_state.h"
#include "worker/http.h"
#include "worker/worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct config *config_of(const struct fetch *f)
{
    return f->all->worker->config;
}

/* ---- the answer ---- */

static void end_head(struct fetch *f)
{
    long status = 0;

    (void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200)
        return;
    f->head_done = true;
    if (f->head_wait)
        js_settle(f->head_wait, JS_VALUE_TEXT, f->head.data, f->head.used);
    f->head_wait = NULL;
    fetch_bytes_free(&f->head);
}

static size_t on_header(char *line, size_t one, size_t bytes, void *arg)
{
    struct fetch *f = arg;
    bool is_end = false;
    int error;

    (void)one;
    if (f->head_done) /* a trailer */
        return bytes;
    error = fetch_head_line(&f->head, line, bytes, &is_end);
    if (error) {
        (void)snprintf(f->failure, sizeof f->failure, "%s",
                       error == -E2BIG     ? "its head is too large"
                       : error == -EBADMSG ? "a field of its head is malformed"
                                           : "no memory for its head");
        return 0;
    }
    if (is_end)
        end_head(f);
    return bytes;
}

static size_t on_body(char *data, size_t one, size_t bytes, void *arg)
{
    struct fetch *f = arg;
    uint64_t max = config_of(f)->fetch.max_body_bytes;

    (void)one;
    if (!f->wants_all && f->body.used >= FETCH_BUFFER_BYTES) {
        f->receiving_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    f->body_bytes += bytes;
    if (f->body_bytes > max) {
        (void)snprintf(f->failure, sizeof f->failure,
                       "its body is larger than fetch.max_body (%llu bytes)",
                       (unsigned long long)max);
        return 0;
    }
    if (f->read_wait) {
        js_settle(f->read_wait, JS_VALUE_BYTES, data, bytes);
        f->read_wait = NULL;
        return bytes;
    }
    if (fetch_bytes_add(&f->body, data, bytes) != 0) {
        (void)snprintf(f->failure, sizeof f->failure, "no memory for its body");
        return 0;
    }
    return bytes;
}

/* ---- the request ---- */

static size_t on_send(char *buffer, size_t one, size_t cap, void *arg)
{
    struct fetch *f = arg;
    size_t bytes = f->send.used - f->sent;

    cap *= one;
    if (bytes == 0 && !f->send_over) {
        f->sending_paused = true;
        return CURL_READFUNC_PAUSE;
    }
    bytes = bytes < cap ? bytes : cap;
    if (bytes > 0)
        memcpy(buffer, f->send.data + f->sent, bytes);
    f->sent += bytes;
    if (f->sent == f->send.used)
        f->sent = f->send.used = 0;
    if (f->send_wait && f->send.used - f->sent < FETCH_SEND_BYTES) {
        js_settle(f->send_wait, JS_VALUE_NOTHING, NULL, 0);
        f->send_wait = NULL;
    }
    return bytes;
}

/* libcurl connects to the address that is left in `address`, which has room for any. */
static curl_socket_t open_inside(struct fetch *f, struct curl_sockaddr *address)
{
    socklen_t bytes;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = fd < 0 ? -errno : 0;

    if (!error)
        error = fetch_door_new(f->all->worker, f->depth + 1, &address->addr,
                               sizeof(struct sockaddr_storage), &bytes, &f->door);
    if (error) {
        if (fd >= 0)
            (void)close(fd);
        (void)snprintf(f->failure, sizeof f->failure, "no way inside: %s", strerror(-error));
        return CURL_SOCKET_BAD;
    }
    address->family = AF_UNIX;
    address->addrlen = bytes;
    return fd;
}

/* After DNS: the very address that is connected to, so that a name can't be bent to another one
 * between a check and its use. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch *f = arg;

    (void)purpose;
    if (f->is_inside)
        return open_inside(f, address);
    if (!fetch_allow_address(&config_of(f)->fetch.allow, f->host, f->port, &address->addr)) {
        (void)snprintf(f->failure, sizeof f->failure,
                       "its address is inside, which fetch.allow does not list");
        return CURL_SOCKET_BAD;
    }
    if (fetch_address_is_loopback(&address->addr) && http_has_port(f->all->worker->http, f->port)) {
        (void)snprintf(
            f->failure, sizeof f->failure,
            "that is this server itself, by a name that only DNS knows: call it localhost");
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                  address->protocol);
}

/* The next line of the order; false: none. */
static bool next_line(struct fetch_order *order, char **ret_line)
{
    const char *end = memchr(order->text, '\n', order->bytes);
    size_t bytes = end ? (size_t)(end - order->text) : order->bytes;

    if (order->bytes == 0)
        return false;
    *ret_line = strndup(order->text, bytes);
    order->text += bytes + (end ? 1 : 0);
    order->bytes -= bytes + (end ? 1 : 0);
    return *ret_line != NULL;
}

/* Characters up to U+00FF, in UTF-8, to bytes: in place. */
static void to_latin1(char *text)
{
    char *out = text;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c & 0xfc) == 0xc0 && text[1])
            *out++ = (char)(c << 6 | (*++text & 0x3f));
        else
            *out++ = *text;
    }
    *out = '\0';
}

static int add_line(struct fetch *f, const char *name, const char *mark, const char *value)
{
    size_t cap = strlen(name) + strlen(mark) + strlen(value) + 1;
    autofree char *line = malloc(cap);
    struct curl_slist *list;

    if (!line)
        return -ENOMEM;
    (void)snprintf(line, cap, "%s%s%s", name, mark, value);
    list = curl_slist_append(f->headers, line);
    if (!list)
        return -ENOMEM;
    f->headers = list;
    return 0;
}

struct given {
    bool accept;
    bool content_type;
    bool user_agent;
};

static int add_headers(struct fetch *f, struct fetch_order *order, struct given *given)
{
    for (;;) {
        autofree char *name = NULL;
        autofree char *value = NULL;
        int error;

        if (!next_line(order, &name))
            return 0;
        if (!next_line(order, &value))
            value = strdup("");
        if (!value)
            return -ENOMEM;
        to_latin1(value);
        given->accept |= strcasecmp(name, "accept") == 0;
        given->content_type |= strcasecmp(name, "content-type") == 0;
        given->user_agent |= strcasecmp(name, "user-agent") == 0;
        if (strcasecmp(name, "accept-encoding") == 0) { /* libcurl undoes what it asks for */
            (void)curl_easy_setopt(f->easy, CURLOPT_ACCEPT_ENCODING, value);
            continue;
        }
        error = value[0] ? add_line(f, name, ": ", value) : add_line(f, name, ";", "");
        if (error)
            return error;
    }
}

/* What libcurl would add by itself and nobody has asked for. */
static int refuse_headers(struct fetch *f, const struct given *given)
{
    int error = add_line(f, "Expect", ":", "");

    if (!error && !given->accept)
        error = add_line(f, "Accept", ": ", "*/*");
    if (!error && !given->content_type)
        error = add_line(f, "Content-Type", ":", "");
    return error;
}

static void set_body(struct fetch *f, const char *method, bool streams,
                     const struct fetch_order *order)
{
    if (streams) {
        (void)curl_easy_setopt(f->easy, CURLOPT_UPLOAD, 1L);
        (void)curl_easy_setopt(f->easy, CURLOPT_READFUNCTION, on_send);
        (void)curl_easy_setopt(f->easy, CURLOPT_READDATA, f);
    } else if (strcmp(method, "HEAD") == 0) {
        (void)curl_easy_setopt(f->easy, CURLOPT_NOBODY, 1L);
    } else if (order->body_bytes > 0 || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
        (void)curl_easy_setopt(f->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)order->body_bytes);
        (void)curl_easy_setopt(f->easy, CURLOPT_COPYPOSTFIELDS,
                               order->body_bytes > 0 ? order->body : "");
    }
    (void)curl_easy_setopt(f->easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_rules(struct fetch *f, uint64_t left_ms)
{
    CURL *easy = f->easy;
    const char *authorities = getenv("SSL_CERT_FILE"); /* as OpenSSL's own programs have it */

    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, f);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* an end while a name is looked up leaves the look-up to its thread, instead of waiting for it */
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
    (void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "ssrd/" SSRD_VERSION);
    (void)curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)left_ms);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, f->curl_error);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, f);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, f);
    if (f->is_inside) { /* one connection, one depth; it has no name to look up, no proxy between */
        (void)curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    }
    if (authorities && authorities[0])
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, authorities);
    if (config_of(f)->fetch.allow.count > 0) /* a proxy would look names up where nobody judges */
        (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

/* The host and port that libcurl will go to: from the very handle that it is given. */
static int judge_url(struct fetch *f, const char *url)
{
    char *host = NULL, *port = NULL, *scheme = NULL;
    int error = -EINVAL;

    f->url = curl_url();
    if (f->url && curl_url_set(f->url, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(f->url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(f->url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(f->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
        error = 0;
    if (error) {
        (void)snprintf(f->failure, sizeof f->failure, "libcurl can't take this URL");
    } else {
        (void)snprintf(f->host, sizeof f->host, "%s", host);
        f->port = (unsigned)strtoul(port, NULL, 10);
        if (strlen(host) >= sizeof f->host ||
            !fetch_allow_host(&config_of(f)->fetch.allow, f->host, f->port)) {
            (void)snprintf(f->failure, sizeof f->failure, "fetch.allow does not list it");
            error = -EACCES;
        }
        f->is_inside = strcmp(scheme, "http") == 0 && fetch_host_is_loopback(f->host) &&
                       http_has_port(f->all->worker->http, f->port);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return error;
}

int fetch_transfer_new(struct fetch *fetch, const struct fetch_order *order, uint64_t now_ms)
{
    struct fetch_order rest = *order;
    autofree char *method = NULL;
    autofree char *url = NULL;
    autofree char *flags = NULL;
    struct given given = {0};
    uint64_t timeout_ms = config_of(fetch)->fetch.timeout_ms;
    uint64_t used_ms = now_ms - fetch->start_ms;
    int error;

    if (!next_line(&rest, &method) || !next_line(&rest, &url) || !next_line(&rest, &flags))
        return -ENOMEM;
    error = judge_url(fetch, url);
    if (error)
        return error;
    fetch->easy = curl_easy_init();
    if (!fetch->easy)
        return -ENOMEM;
    set_rules(fetch, used_ms < timeout_ms ? timeout_ms - used_ms : 1);
    error = add_headers(fetch, &rest, &given);
    error = error ? error : refuse_headers(fetch, &given);
    if (error)
        return error;
    if (given.user_agent)
        (void)curl_easy_setopt(fetch->easy, CURLOPT_USERAGENT, NULL);
    (void)curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, fetch->headers);
    (void)curl_easy_setopt(fetch->easy, CURLOPT_CURLU, fetch->url);
    set_body(fetch, method, strcmp(flags, "stream") == 0, order);
    return 0;
}

void fetch_transfer_free(struct fetch *fetch)
{
    if (fetch->easy)
        curl_easy_cleanup(fetch->easy);
    curl_slist_free_all(fetch->headers);
    curl_url_cleanup(fetch->url);
    fetch->easy = NULL;
    fetch->headers = NULL;
    fetch->url = NULL;
}
