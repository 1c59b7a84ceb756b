/* SPDX-License-Identifier: MIT */
/*
 * ssrctl_command.c - what each command asks of the server and prints. Each returns an exit code.
 */
#include "master/ssrctl.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#define ANSWER_TIMEOUT_S 10
#define OUTCOME_TIMEOUT_S                                                                          \
    600 /* reload, stop, drain: as long as warm-up and shutdown_timeout take */

static int out_of_memory(void)
{
    (void)fputs("ssrctl: out of memory\n", stderr);
    return SSRCTL_INTERNAL;
}

/* {"ok":false,"text":…} on the right channel; SSRCTL_OK when the answer is ok. */
static int judge(const struct ssrctl *options, const json_t *answer)
{
    const char *text = json_string_value(json_object_get(answer, "text"));

    if (json_is_true(json_object_get(answer, "ok")))
        return SSRCTL_OK;
    if (options->json) {
        (void)json_dumpf(answer, stdout, JSON_COMPACT);
        (void)fputc('\n', stdout);
    }
    (void)fputs("ssrctl: ", stderr);
    print_text(stderr, text == NULL ? "the server refused and did not say why" : text);
    (void)fputc('\n', stderr);
    return SSRCTL_REFUSED;
}

/*
 * Send request (taken), wait for one line. ret_answer: owned, set on SSRCTL_OK; NULL only when
 * may_close and the server closed the connection instead of answering.
 */
static int ask(const struct ssrctl *options, json_t *request, unsigned timeout_s, bool may_close,
               json_t **ret_answer)
{
    struct client *client = NULL;
    json_t *answer = NULL;
    int rc = client_open(options, &client);

    if (rc != SSRCTL_OK)
        json_decref(request);
    else
        rc = client_send(client, request);
    if (rc == SSRCTL_OK)
        rc = client_receive(client, options->timeout_s != 0 ? options->timeout_s : timeout_s,
                            &answer);
    client_close(client);
    if (rc == SSRCTL_OK && answer == NULL && !may_close) {
        (void)fputs("ssrctl: the server closed the connection without an answer: see its log\n",
                    stderr);
        rc = SSRCTL_REFUSED;
    }
    if (rc == SSRCTL_OK && answer != NULL)
        rc = judge(options, answer);
    if (rc != SSRCTL_OK)
        json_decref(answer);
    else
        *ret_answer = answer;
    return rc;
}

/* Commands whose answer is a line of text. */
static int ask_text(const struct ssrctl *options, json_t *request, unsigned timeout_s,
                    const char *text_if_closed)
{
    json_t *answer = NULL;
    int rc = ask(options, request, timeout_s, text_if_closed != NULL, &answer);
    const char *text;

    if (rc != SSRCTL_OK)
        return rc;
    if (answer == NULL)
        answer = json_pack("{s:b s:s}", "ok", 1, "text", text_if_closed);
    if (options->json) {
        (void)json_dumpf(answer, stdout, JSON_COMPACT);
    } else {
        text = json_string_value(json_object_get(answer, "text"));
        print_text(stdout, text == NULL ? "done" : text);
    }
    (void)fputc('\n', stdout);
    json_decref(answer);
    return SSRCTL_OK;
}

static json_t *request_of(const char *name)
{
    return json_pack("{s:s}", "command", name);
}

/* Commands whose answer is one object under `name`. */
static int ask_report(const struct ssrctl *options, const char *command_name, const char *name,
                      void (*print)(FILE *out, const json_t *json))
{
    json_t *answer = NULL, *report;
    int rc = ask(options, request_of(command_name), ANSWER_TIMEOUT_S, false, &answer);

    if (rc != SSRCTL_OK)
        return rc;
    report = json_object_get(answer, name);
    if (options->json) {
        (void)json_dumpf(report, stdout, JSON_INDENT(2));
        (void)fputc('\n', stdout);
    } else {
        print(stdout, report);
    }
    json_decref(answer);
    return SSRCTL_OK;
}

int command_status(struct ssrctl *options)
{
    return ask_report(options, "status", "status", print_status);
}

int command_cache_stat(struct ssrctl *options)
{
    return ask_report(options, "cache-stat", "cache", print_cache);
}

int command_reload(struct ssrctl *options)
{
    return ask_text(options, request_of("reload"), OUTCOME_TIMEOUT_S, NULL);
}

int command_stop(struct ssrctl *options)
{
    return ask_text(options, request_of("stop"), OUTCOME_TIMEOUT_S, "stopped");
}

int command_drain(struct ssrctl *options)
{
    return ask_text(options, request_of("drain"), OUTCOME_TIMEOUT_S, "drained and stopped");
}

int command_log(struct ssrctl *options)
{
    return ask_text(options, json_pack("{s:s s:s}", "command", "log", "level", options->operand[0]),
                    ANSWER_TIMEOUT_S, NULL);
}

int command_purge(struct ssrctl *options)
{
    for (int i = 0; i < options->operand_count; i++)
        if (json_array_append_new(options->urls, json_string(options->operand[i])) != 0) {
            (void)fputs("ssrctl: a URL is not UTF-8: percent-encode it\n", stderr);
            return SSRCTL_USAGE;
        }
    if (!options->all && json_array_size(options->urls) == 0 &&
        json_array_size(options->prefixes) == 0 && json_array_size(options->tags) == 0) {
        (void)fputs("ssrctl: purge what? give URLs, --prefix, --tag or --all\n", stderr);
        return SSRCTL_USAGE;
    }
    return ask_text(options,
                    json_pack("{s:s s:O s:O s:O s:b}", "command", "purge", "urls", options->urls,
                              "prefixes", options->prefixes, "tags", options->tags, "all",
                              options->all),
                    ANSWER_TIMEOUT_S, NULL);
}

/* Lines of entries up to the line that has "ok". What came before an error is in `entries` all the same. */
static int receive_entries(const struct ssrctl *options, struct client *client, json_t *entries,
                           json_t **ret_end)
{
    json_t *answer;

    for (;;) {
        int rc = client_receive(
            client, options->timeout_s != 0 ? options->timeout_s : ANSWER_TIMEOUT_S, &answer);

        if (rc != SSRCTL_OK)
            return rc;
        if (answer == NULL) {
            (void)fputs("ssrctl: the server closed the connection in mid-answer\n", stderr);
            return SSRCTL_REFUSED;
        }
        if (json_object_get(answer, "ok") != NULL) {
            *ret_end = answer;
            return SSRCTL_OK;
        }
        if (json_array_append_new(entries, answer) != 0)
            return out_of_memory();
    }
}

static int compare_fields(const json_t *a, const json_t *b, const char *name)
{
    const char *one = json_string_value(json_object_get(a, name));
    const char *two = json_string_value(json_object_get(b, name));

    return strcmp(one == NULL ? "" : one, two == NULL ? "" : two);
}

/* By URL, then host, then what else tells them apart: the index knows no order, people do. */
static int compare_entries(const void *a, const void *b)
{
    const json_t *one = *(json_t *const *)a;
    const json_t *two = *(json_t *const *)b;
    int order = compare_fields(one, two, "url");

    if (order == 0)
        order = compare_fields(one, two, "host");
    return order != 0 ? order : compare_fields(one, two, "key");
}

/* --json: an array with an entry on each line. */
static void show_entry(const struct ssrctl *options, const json_t *entry, bool first,
                       void (*print)(FILE *out, const json_t *entry))
{
    if (options->json) {
        (void)fputs(first ? "[\n" : ",\n", stdout);
        (void)json_dumpf(entry, stdout, JSON_COMPACT);
        return;
    }
    if (first && print == print_entry)
        print_entries_head(stdout);
    else if (!first && print == print_entry_whole)
        (void)fputc('\n', stdout);
    print(stdout, entry);
}

static int show_entries(const struct ssrctl *options, struct client *client,
                        void (*print)(FILE *out, const json_t *entry), json_t **ret_end)
{
    json_t *entries = json_array();
    size_t count;
    json_t **sorted;
    int rc;

    if (entries == NULL)
        return out_of_memory();
    rc = receive_entries(options, client, entries, ret_end);
    count = json_array_size(entries);
    sorted = calloc(count + 1, sizeof *sorted);
    for (size_t i = 0; i < count && sorted != NULL; i++)
        sorted[i] = json_array_get(entries, i);
    if (sorted == NULL)
        rc = out_of_memory();
    else
        qsort(sorted, count, sizeof *sorted, compare_entries);
    for (size_t i = 0; i < count && sorted != NULL; i++)
        show_entry(options, sorted[i], i == 0, print);
    free(sorted);
    json_decref(entries);
    return rc;
}

static int ask_entries(const struct ssrctl *options, json_t *request,
                       void (*print)(FILE *out, const json_t *entry))
{
    struct client *client = NULL;
    json_t *end = NULL;
    int rc = client_open(options, &client);

    if (rc != SSRCTL_OK)
        json_decref(request);
    else
        rc = client_send(client, request);
    if (rc == SSRCTL_OK)
        rc = show_entries(options, client, print, &end);
    client_close(client);
    if (rc == SSRCTL_OK)
        rc = judge(options, end);
    if (rc == SSRCTL_OK && options->json)
        (void)fputs(json_integer_value(json_object_get(end, "entries")) == 0 ? "[]\n" : "\n]\n",
                    stdout);
    if (rc == SSRCTL_OK && json_is_true(json_object_get(end, "truncated")))
        (void)fputs("ssrctl: there are more; narrow it with --prefix\n", stderr);
    json_decref(end);
    return rc;
}

int command_cache_ls(struct ssrctl *options)
{
    return ask_entries(options,
                       json_pack("{s:s s:s}", "command", "cache-ls", "prefix",
                                 options->prefix == NULL ? "" : options->prefix),
                       print_entry);
}

int command_cache_get(struct ssrctl *options)
{
    return ask_entries(options,
                       json_pack("{s:s s:s}", "command", "cache-get", "url", options->operand[0]),
                       print_entry_whole);
}

/* --data, checked here so that the mistake is named where it was made. */
static int parse_data(const struct ssrctl *options, json_t **ret_data)
{
    json_error_t error;

    *ret_data = NULL;
    if (options->data == NULL)
        return SSRCTL_OK;
    *ret_data = json_loads(options->data, JSON_DECODE_ANY, &error);
    if (*ret_data != NULL)
        return SSRCTL_OK;
    (void)fprintf(stderr, "ssrctl: --data is not JSON: %s (column %d)\n", error.text, error.column);
    return SSRCTL_USAGE;
}

int command_render(struct ssrctl *options)
{
    json_t *answer = NULL, *data = NULL;
    const char *http_path;
    int rc = parse_data(options, &data);

    if (rc == SSRCTL_OK)
        rc = ask(options, request_of("where"), ANSWER_TIMEOUT_S, false, &answer);
    if (rc == SSRCTL_OK) {
        http_path = json_string_value(json_object_get(answer, "http"));
        if (http_path == NULL || http_path[0] == '\0') {
            (void)fputs("ssrctl: this server has no admin interface on a Unix socket\n", stderr);
            rc = SSRCTL_REFUSED;
        } else {
            rc = render_run(options, http_path, options->operand[0], data);
        }
    }
    json_decref(answer);
    json_decref(data);
    return rc;
}

/* Replaces this process with `ssrd --check`: the ssrd beside this program, else the one in PATH. */
int command_check(struct ssrctl *options)
{
    char path[PATH_MAX + sizeof "/ssrd"];
    size_t urls = json_array_size(options->urls), n = 0;
    autofree const char **args = calloc(urls * 2 + 10, sizeof *args);
    json_t *data = NULL;
    ssize_t bytes;
    int rc = parse_data(options, &data);

    json_decref(data);
    if (rc != SSRCTL_OK)
        return rc;
    if (args == NULL)
        return out_of_memory();
    args[n++] = "ssrd";
    if (options->config != NULL) {
        args[n++] = "-c";
        args[n++] = options->config;
    }
    args[n++] = "--check";
    args[n++] = options->operand[0];
    for (size_t i = 0; i < urls; i++) {
        args[n++] = "--url";
        args[n++] = json_string_value(json_array_get(options->urls, i));
    }
    if (options->data != NULL) {
        args[n++] = "--data";
        args[n++] = options->data;
    }
    if (options->json)
        args[n++] = "--json";
    (void)signal(SIGPIPE, SIG_DFL); /* ignored signals stay ignored in the new program */
    bytes = readlink("/proc/self/exe", path, PATH_MAX);
    if (bytes > 0) {
        path[bytes] = '\0';
        memcpy(strrchr(path, '/'), "/ssrd", sizeof "/ssrd"); /* the link's text is absolute */
        (void)execv(path, (char *const *)args);
    }
    (void)execvp("ssrd", (char *const *)args);
    (void)fprintf(stderr, "ssrctl: ssrd is neither beside ssrctl nor in PATH (%s)\n",
                  strerror(errno));
    return SSRCTL_NO_SERVER;
}
