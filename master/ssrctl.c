/* SPDX-License-Identifier: MIT */
/*
 * ssrctl.c - the control program's command line: options, the table of commands, help. It holds no
 * V8 and no event loop; the protocol is master/README.md, "Control socket".
 */
#include "master/ssrctl.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#ifndef SSRD_VERSION
#define SSRD_VERSION "unknown"
#endif

enum {
    OPT_JSON = 1 << 0,
    OPT_URL = 1 << 1,
    OPT_DATA = 1 << 2,
    OPT_PREFIX = 1 << 3,
    OPT_TAG = 1 << 4,
    OPT_ALL = 1 << 5,
};

static const struct option long_options[] = {
    {"socket", required_argument, NULL, 's'},  {"config", required_argument, NULL, 'c'},
    {"help", no_argument, NULL, 'h'},          {"version", no_argument, NULL, 'V'},
    {"timeout", required_argument, NULL, 'T'}, {"json", no_argument, NULL, 'j'},
    {"url", required_argument, NULL, 'u'},     {"data", required_argument, NULL, 'd'},
    {"prefix", required_argument, NULL, 'p'},  {"tag", required_argument, NULL, 't'},
    {"all", no_argument, NULL, 'a'},           {0},
};

static const struct command {
    const char *name;
    const char *arguments;
    const char *text;
    int (*run)(struct ssrctl *options); /* NULL: not in this version */
    unsigned options;
    int operands_min, operands_max;
} commands[] = {
    {"status", "", "version, uptime, generation, workers, cache, queue", command_status, OPT_JSON,
     0, 0},
    {"reload", "", "read config and bundle again; prints the outcome", command_reload, OPT_JSON, 0,
     0},
    {"stop", "", "stop at once", command_stop, OPT_JSON, 0, 0},
    {"drain", "", "stop after finishing what is in flight", command_drain, OPT_JSON, 0, 0},
    {"check", "BUNDLE [--url U]… [--data JSON]", "load and render a bundle in a process of its own",
     command_check, OPT_JSON | OPT_URL | OPT_DATA, 1, 1},
    {"render", "URL [--data JSON]", "print what the server renders for URL, past the cache",
     command_render, OPT_JSON | OPT_DATA, 1, 1},
    {"cache stat", "", "figures of the caches", command_cache_stat, OPT_JSON, 0, 0},
    {"cache ls", "[--prefix P]", "entries of the cold cache: size, age, ttl, hits, tags",
     command_cache_ls, OPT_JSON | OPT_PREFIX, 0, 0},
    {"cache get", "URL", "one URL's entries: the same, heads, body", command_cache_get, OPT_JSON, 1,
     1},
    {"purge", "URL… | --prefix P | --tag T | --all", "remove pages from all caches", command_purge,
     OPT_JSON | OPT_PREFIX | OPT_TAG | OPT_ALL, 0, INT_MAX},
    {"log", "LEVEL", "change the log level: error, warn, info, debug", command_log, OPT_JSON, 1, 1},
    {"top", "", "status, live", NULL, 0, 0, 0},
    {"warm", "FILE", "render the URLs listed in FILE", NULL, 0, 0, 0},
    {"prerender", "--out DIR URL…", "write pages as static files", NULL, 0, 0, 0},
    {"profile", "[--seconds N] [-o FILE]", "CPU profile of a worker", NULL, 0, 0, 0},
    {"heap", "[-o FILE]", "heap snapshot of a worker", NULL, 0, 0, 0},
};

static void print_help(void)
{
    (void)fputs("Usage: ssrctl [-s SOCKET] [-c FILE] COMMAND [ARGUMENT]…\n"
                "Controls a running ssrd over its Unix socket.\n\nCommands:\n",
                stdout);
    for (size_t i = 0; i < array_len(commands); i++)
        (void)printf("  %s%s%s\n        %s%s\n", commands[i].name,
                     commands[i].arguments[0] == '\0' ? "" : " ", commands[i].arguments,
                     commands[i].text, commands[i].run == NULL ? " (not in this version)" : "");
    (void)fputs(
        "\nOptions:\n"
        "  -s, --socket SOCKET  the server's control socket\n"
        "  -c, --config FILE    take the socket from admin.socket of this config\n"
        "      --json           print the answer as JSON\n"
        "      --timeout S      seconds to wait for a silent server (10; reload, stop, drain: "
        "600;\n"
        "                       render: 60)\n"
        "  -h, --help           this text\n"
        "  -V, --version        print the version\n\n"
        "Without -s and -c the socket is the first of these that answers: /run/ssrd/ctl.sock,\n"
        "$XDG_RUNTIME_DIR/ssrd/ctl.sock, /tmp/ssrd-UID/ctl.sock.\n\n"
        "Exit codes: 0 done, 1 refused or failed, 64 wrong usage, 69 no server at the socket,\n"
        "77 no permission, 78 the config given with -c is wrong.\n",
        stdout);
}

static int usage(const char *text, const char *what)
{
    (void)fprintf(stderr, "ssrctl: %s%s%s; see ssrctl --help\n", text, what[0] == '\0' ? "" : " ",
                  what);
    return SSRCTL_USAGE;
}

static int append(json_t *array, const char *text)
{
    return json_array_append_new(array, json_string(text)) == 0
               ? 0
               : usage("not UTF-8: an option's value", "");
}

/* -1: go on; else the exit code. */
static int take_option(struct ssrctl *options, int option)
{
    char *end;
    unsigned long seconds;

    switch (option) {
    case 's':
        options->socket = optarg;
        return optarg[0] != '\0' ? -1 : usage("-s needs a path", "");
    case 'c':
        options->config = optarg;
        return -1;
    case 'h':
        print_help();
        return SSRCTL_OK;
    case 'V':
        (void)puts("ssrctl " SSRD_VERSION);
        return SSRCTL_OK;
    case 'T':
        seconds = strtoul(optarg, &end, 10);
        if (optarg[0] < '0' || optarg[0] > '9' || *end != '\0' || seconds == 0 || seconds > 86400)
            return usage("--timeout needs seconds, 1 to 86400, not", optarg);
        options->timeout_s = (unsigned)seconds;
        return -1;
    case 'j':
        options->json = true;
        options->given |= OPT_JSON;
        return -1;
    case 'u':
        options->given |= OPT_URL;
        return append(options->urls, optarg) == 0 ? -1 : SSRCTL_USAGE;
    case 'd':
        options->given |= OPT_DATA;
        options->data = optarg;
        return -1;
    case 'p':
        options->given |= OPT_PREFIX;
        options->prefix = optarg;
        return append(options->prefixes, optarg) == 0 ? -1 : SSRCTL_USAGE;
    case 't':
        options->given |= OPT_TAG;
        return append(options->tags, optarg) == 0 ? -1 : SSRCTL_USAGE;
    case 'a':
        options->given |= OPT_ALL;
        options->all = true;
        return -1;
    default: /* getopt has said what is wrong */
        (void)fputs("See ssrctl --help\n", stderr);
        return SSRCTL_USAGE;
    }
}

static int take_options(struct ssrctl *options, int argc, char **argv, const char *short_options)
{
    int option;

    while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        int rc = take_option(options, option);

        if (rc >= 0)
            return rc;
    }
    return -1;
}

/* By name, "cache" with its second word; *ret_words: how many of argv it took. */
static const struct command *find_command(char **argv, int argc, int *ret_words)
{
    for (size_t i = 0; i < array_len(commands); i++) {
        const char *space = strchr(commands[i].name, ' ');
        size_t bytes =
            space == NULL ? strlen(commands[i].name) : (size_t)(space - commands[i].name);

        if (strlen(argv[0]) != bytes || strncmp(argv[0], commands[i].name, bytes) != 0)
            continue;
        if (space != NULL && (argc < 2 || strcmp(argv[1], space + 1) != 0))
            continue;
        *ret_words = space == NULL ? 1 : 2;
        return &commands[i];
    }
    return NULL;
}

static int run(struct ssrctl *options, int argc, char **argv)
{
    static char program[] = "ssrctl"; /* in getopt's messages, whatever the call */
    const struct command *found;
    int words = 1, rc;

    argv[0] = program;
    rc = take_options(options, argc, argv, "+s:c:hV");
    if (rc >= 0)
        return rc;
    argc -= optind;
    argv += optind;
    if (argc == 0)
        return usage("no command", "");
    found = find_command(argv, argc, &words);
    if (found == NULL && strcmp(argv[0], "cache") == 0 && argc > 1 && argv[1][0] != '-')
        return usage("unknown command: cache", argv[1]);
    if (found == NULL && strcmp(argv[0], "cache") != 0)
        return usage("unknown command:", argv[0]);
    if (found != NULL && found->run == NULL) {
        (void)fprintf(stderr, "ssrctl: %s is not available in this version\n", found->name);
        return SSRCTL_USAGE;
    }
    argc -= words - 1; /* the command's last word stands where the program's name does */
    argv += words - 1;
    argv[0] = program;
    optind = 0;
    rc = take_options(options, argc, argv, "s:c:hV");
    if (rc >= 0)
        return rc;
    if (found == NULL)
        return usage("cache needs one of", "stat, ls, get");
    options->operand = argv + optind;
    options->operand_count = argc - optind;
    if ((options->given & ~found->options) != 0)
        return usage("an option does not belong to", found->name);
    if (options->operand_count < found->operands_min)
        return usage(found->name, found->arguments);
    if (options->operand_count > found->operands_max)
        return usage("too many arguments for", found->name);
    return found->run(options);
}

int main(int argc, char **argv)
{
    struct ssrctl options = {.urls = json_array(), .prefixes = json_array(), .tags = json_array()};
    int rc;

    /* a pipe closed by its reader (`ssrctl cache ls | head`) is then an error of write() */
    (void)signal(SIGPIPE, SIG_IGN);
    rc = argc > 0 ? run(&options, argc, argv) : SSRCTL_USAGE;
    json_decref(options.urls);
    json_decref(options.prefixes);
    json_decref(options.tags);
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        if (errno != 0 && errno != EPIPE)
            (void)fprintf(stderr, "ssrctl: can't write the output: %s\n", strerror(errno));
        if (rc == SSRCTL_OK)
            rc = SSRCTL_REFUSED;
    }
    return rc;
}
