/* SPDX-License-Identifier: MIT */
/* main.c - ssrd's command line. What it can be told is in README.md, "Running it"; exit codes are
 * sysexits.h's. */
#include "master/main.h"

#include "master/bundle.h"
#include "master/config_load.h"
#include "master/notify.h"
#include "master/sources.h"
#include "master/user.h"
#include "shm/heritage.h"
#include "shm/log.h"
#include "shm/title.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define OVERRIDES_MAX 256

enum mode { MODE_SERVE, MODE_TEST, MODE_CHECK };

struct command {
    enum mode mode;
    const char *config_path;
    const char *bundle; /* the positional argument */
    const char *override[OVERRIDES_MAX + 1];
    size_t override_count;
    struct check_options check;
    const char *url[OVERRIDES_MAX];
    char *bundle_override; /* "bundle.path=…", owned */
};

enum { OPT_CHECK = 256, OPT_URL, OPT_DATA, OPT_JSON };

static void print_help(void)
{
    (void)puts(
        "usage: ssrd BUNDLE.js                 serve the bundle on 127.0.0.1:8080\n"
        "       ssrd [-c FILE] [-o KEY=VALUE]… serve with a config (./ssrd.yaml, "
        "/etc/ssrd/ssrd.yaml)\n"
        "       ssrd -t [-c FILE]              check config and bundle, exit 0 or 1\n"
        "\n"
        "  -c FILE        read the YAML config FILE\n"
        "  -o KEY=VALUE   override one key of the config, as in -o cache.ttl=5s; repeatable\n"
        "  -t             check config and bundle, print problems as FILE:LINE:COL: message\n"
        "  -h             this help\n"
        "  -V             version, V8's version, build options\n"
        "\n"
        "signals: HUP reload · TERM, INT stop gracefully · QUIT stop now · USR1 reopen log files\n"
        "exit:    0 stopped · 64 usage · 69 a port or cache.file is taken · 70 our own fault\n"
        "         71 no memory, descriptors or room left · 78 config or bundle\n"
        "\n"
        "config keys (KEY type = default: text):");
    config_print_options(stdout);
}

static void print_version(void)
{
    (void)printf("ssrd %s\nV8 %s\nbuild: %s%s\n", SSRD_VERSION, SSRD_V8_VERSION, SSRD_BUILD_TYPE,
#if defined(__SANITIZE_ADDRESS__)
                 ", address sanitizer"
#else
                 ""
#endif
    );
}

static int usage(const char *text, const char *what)
{
    (void)fprintf(stderr, "ssrd: %s%s\nssrd -h explains\n", text, what);
    return EX_USAGE;
}

/* 0, or an exit code: -1 stands for "done, exit 0". */
static int read_arguments(int argc, char **argv, struct command *command)
{
    static const struct option longs[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {"check", no_argument, NULL, OPT_CHECK},
        {"url", required_argument, NULL, OPT_URL},
        {"data", required_argument, NULL, OPT_DATA},
        {"json", no_argument, NULL, OPT_JSON},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, ":c:o:thV", longs, NULL)) != -1) {
        switch (option) {
        case 'c':
            command->config_path = optarg;
            break;
        case 'o':
            if (command->override_count == OVERRIDES_MAX)
                return usage("too many -o", "");
            if (!strchr(optarg, '='))
                return usage("-o wants KEY=VALUE, as in -o cache.ttl=5s, not ", optarg);
            command->override[command->override_count++] = optarg;
            break;
        case 't':
            command->mode = MODE_TEST;
            break;
        case 'h':
            print_help();
            return -1;
        case 'V':
            print_version();
            return -1;
        case OPT_CHECK:
            command->mode = MODE_CHECK;
            break;
        case OPT_URL:
            if (command->check.url_count == OVERRIDES_MAX)
                return usage("too many --url", "");
            command->url[command->check.url_count++] = optarg;
            break;
        case OPT_DATA:
            command->check.data = optarg;
            break;
        case OPT_JSON:
            command->check.json = true;
            break;
        case ':':
            return usage("a value is missing after ", argv[optind - 1]);
        default:
            return usage("unknown option ", argv[optind - 1]);
        }
    }
    if (argc - optind > 1)
        return usage("one bundle at most, not also ", argv[optind + 1]);
    command->bundle = argv[optind];
    return 0;
}

/* With a bundle named and no -c there is no config file: what is in the directory must not
 * change what a first try does. */
static int choose_config(struct command *command)
{
    if (command->bundle) {
        if (asprintf(&command->bundle_override, "bundle.path=%s", command->bundle) < 0)
            return EX_OSERR;
        command->override[command->override_count++] = command->bundle_override;
        return 0;
    }
    if (!command->config_path)
        command->config_path = config_default_path();
    if (!command->config_path && command->override_count == 0)
        return usage("nothing to serve: name a bundle (ssrd BUNDLE.js) or a config (ssrd -c FILE); "
                     "there is no ./ssrd.yaml and no /etc/ssrd/ssrd.yaml",
                     "");
    return 0;
}

static int load_config(const struct command *command, struct config **ret_config)
{
    struct config_problems problems = {0};
    int error = config_load(command->config_path, command->override, command->override_count,
                            ret_config, &problems);

    for (size_t i = 0; i < problems.count; i++)
        (void)fprintf(stderr, "%s\n", problems.text[i]);
    if (error == -ENOMEM)
        (void)fprintf(stderr, "ssrd: out of memory\n");
    config_problems_done(&problems);
    return error;
}

static int run_check(const struct command *command, const struct config *config,
                     const struct bundle *bundle)
{
    struct check_options options = command->check;
    char problem[256];
    struct heritage heritage = {
        .config = config,
        .bundle = bundle->source,
        .bundle_bytes = bundle->bytes,
        .bundle_name = config->bundle.path,
        .package_is_module = bundle->package_is_module,
        .file = bundle->file,
        .file_count = bundle->file_count,
        .template_part = bundle->template_part,
        .manifest = {bundle->manifest, bundle->manifest_bytes},
        .generation = 1,
        .version = SSRD_VERSION,
    };

    if (user_choose(config, false, &heritage.uid, &heritage.gid, problem, sizeof problem) != 0) {
        (void)fprintf(stderr, "ssrd: %s\n", problem);
        return EXIT_FAILURE;
    }
    options.url = command->url;
    options.quiet = command->mode == MODE_TEST;
    return check_main(&heritage, &options);
}

static int run(struct command *command)
{
    bool check_only = command->mode != MODE_SERVE;
    struct config *config = NULL;
    struct bundle bundle = {0};
    char problem[1024];
    int exit_code = check_only ? EXIT_FAILURE : EX_CONFIG;

    if (load_config(command, &config) != 0)
        return exit_code;
    log_process(check_only ? "check" : "master", -1);
    log_set_format((enum log_format)config->log.format);
    log_set_level((enum log_level)config->log.level);
    if (config->bundle.path[0] == '\0') {
        (void)fprintf(stderr, "ssrd: no bundle: set bundle.path in %s, or run ssrd BUNDLE.js\n",
                      command->config_path ? command->config_path : "the config");
        config_free(config);
        return exit_code;
    }
    if (sources_read(config, &bundle, problem, sizeof problem) != 0) {
        (void)fprintf(stderr, "ssrd: %s\n", problem);
        config_free(config);
        return exit_code;
    }
    if (check_only) {
        exit_code = run_check(command, config, &bundle);
        bundle_done(&bundle);
        config_free(config);
        return exit_code;
    }
    return master_main(
        &(struct master_options){command->config_path, command->override, command->override_count},
        config, &bundle);
}

int main(int argc, char **argv)
{
    static struct command command; /* zeroed */
    int exit_code;

    (void)signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is then an error with a name: EFBIG */
    title_init(argc, argv);
    notify_init();
    exit_code = read_arguments(argc, argv, &command);
    if (exit_code == 0)
        exit_code = choose_config(&command);
    if (exit_code == 0)
        exit_code = run(&command);
    free(command.bundle_override);
    return exit_code == -1 ? 0 : exit_code;
}
