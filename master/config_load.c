/* SPDX-License-Identifier: MIT */
/*
 * config_load.c - the door of the loader: defaults, then the file, then -o, then routes (which
 * build on all of these), then what must agree between options. Everything is looked at before it
 * gives up, so that a file is put right in one go.
 */
#include "master/config_load.h"

#include "master/config_value.h"
#include "master/config_walk.h"
#include "shm/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert((int)LOG_ERROR == 0 && (int)LOG_DEBUG == 3, "the order of log.level's choices");
static_assert((int)LOG_TEXT == 0 && (int)LOG_JSON == 1, "the order of log.format's choices");

static int set_defaults(struct config *config)
{
    for (size_t i = 0; i < config_option_count; i++) {
        const struct config_option *option = &config_options[i];
        void *field = config_option_field(option, config);
        union config_value value = {0};
        int rc;

        if (!field)
            continue;
        rc = config_option_read_default(option, &value);
        if (rc != 0)
            return rc; /* -EINVAL: a row of our own table, which a unit test reads */
        config_option_store(option, field, &value);
    }
    return 0;
}

/* One -o: its value as a node. The sources and trees live until the load is over. */
struct override {
    char *name; /* "-o cache.ttl" */
    struct config_source source;
    struct config_node *root; /* a map: {cache: {ttl: value}} */
};

static void overrides_done(struct override *overrides, size_t count)
{
    for (size_t i = 0; overrides && i < count; i++) {
        free(overrides[i].name);
        config_node_free(overrides[i].root);
    }
    free(overrides);
}

static const struct config_option *option_of(const char *key, size_t key_bytes)
{
    for (size_t i = 0; i < config_option_count; i++) {
        if (strlen(config_options[i].key) == key_bytes &&
            memcmp(config_options[i].key, key, key_bytes) == 0)
            return &config_options[i];
    }
    return NULL;
}

/*
 * Values are YAML, but for paths and the like: a shell has its own quotes, so `-o bundle.path=a
 * #1.js` means what it says; and [::]:8080, which YAML takes for a list.
 */
static bool is_literal(const struct config_option *option, const char *value)
{
    char why[CONFIG_WHY_BYTES];

    if (!option)
        return false;
    if (option->type == CONFIG_TEXT)
        return value[0] != '"' && value[0] != '\'';
    return (option->type == CONFIG_ADDRESS || option->type == CONFIG_ADDRESS_LIST) &&
           value[0] == '[' && config_value_address(value, why) == 0;
}

static int override_value(struct override *override, const struct config_option *option,
                          struct config_report *report, struct config_node **ret_value)
{
    char name[CONFIG_SHOW_BYTES];
    autofree char *text = NULL;
    int rc;

    if (!is_literal(option, override->source.text)) {
        struct config_node *value = NULL;

        rc = config_yaml_parse(&override->source, report, &value);
        if (rc == 0 && !value) { /* `-o cache.ttl=`: the default */
            value = config_node_new(&override->source, "");
            if (value)
                value->kind = CONFIG_NODE_NULL;
        }
        *ret_value = value;
        return rc != 0 || value ? rc : -ENOMEM;
    }
    rc = config_value_expand(override->source.text, &text, name);
    if (rc == -ENOMEM)
        return rc;
    if (rc != 0) {
        config_problem_add(report, &override->source, 0, 0, CONFIG_ERROR,
                           rc == -ENOENT ? "the environment has no %s" : "`%s` can't be replaced",
                           name);
        return -EINVAL;
    }
    *ret_value = config_node_new(&override->source, text);
    return *ret_value ? 0 : -ENOMEM;
}

/* Wrap value into maps for each part of a dotted key. Takes value. */
static int wrap(struct override *override, const char *key, size_t key_bytes,
                struct config_node *value)
{
    while (true) {
        const char *dot = memrchr(key, '.', key_bytes);
        size_t start = dot ? (size_t)(dot - key) + 1 : 0;
        autofree char *word = strndup(key + start, key_bytes - start);
        struct config_node *map = word ? config_node_new(&override->source, NULL) : NULL;
        struct config_node *name = map ? config_node_new(&override->source, word) : NULL;

        if (!name) {
            config_node_free(map);
            config_node_free(value);
            return -ENOMEM;
        }
        config_node_put(map, name, value);
        value = map;
        if (!dot)
            break;
        key_bytes = start - 1;
    }
    override->root = value;
    return 0;
}

static int apply_override(struct config_loading *loading, const char *text,
                          struct override *override)
{
    const char *equals = strchr(text, '=');
    size_t key_bytes = equals ? (size_t)(equals - text) : strlen(text);
    struct config_node *value = NULL;
    char show[CONFIG_SHOW_BYTES];
    size_t dots = 0;
    int rc;

    for (size_t i = 0; i < key_bytes; i++)
        dots += text[i] == '.';
    (void)config_value_show(text, show);
    if (asprintf(&override->name, "-o %.*s", (int)strcspn(show, "="), show) < 0) {
        override->name = NULL;
        return -ENOMEM;
    }
    override->source = (struct config_source){.name = override->name, .is_override = true};
    if (!equals || key_bytes == 0 || dots > 8) {
        config_problem_add(&loading->report, &override->source, 0, 0, CONFIG_ERROR,
                           "wanted key=value, such as cache.ttl=5s");
        return 0;
    }
    override->source.text = equals + 1;
    override->source.bytes = strlen(equals + 1);
    rc = override_value(override, option_of(text, key_bytes), &loading->report, &value);
    if (rc == 0)
        rc = wrap(override, text, key_bytes, value);
    if (rc == 0)
        rc = config_walk(loading, override->root, "", NULL);
    return rc == -ENOMEM ? rc : 0;
}

static bool was_given(const struct config_loading *loading, const char *key)
{
    const struct config_option *option = option_of(key, strlen(key));

    return option && loading->given[option - config_options];
}

static void check_fallback(struct config_loading *loading, const struct config_source *file,
                           const struct config_policy *policy)
{
    if (policy->fallback[0] != '\0' && access(policy->fallback, R_OK) != 0)
        config_problem_add(&loading->report, file, 0, 0, CONFIG_ERROR,
                           "`render.fallback` names `%s`, which can't be read: %s",
                           policy->fallback, strerror(errno));
}

/* What no single option can know. */
static void settle(struct config_loading *loading, const struct config_source *file)
{
    struct config *config = loading->config;

    config->listen_given = was_given(loading, "listen");
    config->admin.listen_given = was_given(loading, "admin.listen");
    config->admin.socket_given = was_given(loading, "admin.socket");
    config->user_given = was_given(loading, "user");
    check_fallback(loading, file, &config->policy);
    for (size_t i = 0; i < config->routes.count; i++)
        if (strcmp(config->routes.item[i].policy.fallback, config->policy.fallback) != 0)
            check_fallback(loading, file, &config->routes.item[i].policy);
    if (config->cache.max_object_bytes <= config->cache.cold_bytes)
        return;
    if (was_given(loading, "cache.max_object"))
        config_problem_add(&loading->report, file, 0, 0, CONFIG_ERROR,
                           "`cache.max_object` is larger than `cache.cold`, which must hold it");
    else
        config->cache.max_object_bytes = config->cache.cold_bytes;
}

static int load_file(struct config_loading *loading, const struct config_source *source,
                     struct config_node **ret_root)
{
    int rc = config_yaml_parse(source, &loading->report, ret_root);

    if (rc != 0)
        return rc;
    if (!*ret_root || (*ret_root)->kind == CONFIG_NODE_NULL)
        return 0;
    if ((*ret_root)->kind != CONFIG_NODE_MAP) {
        char found[CONFIG_SHOW_BYTES + 8];

        config_node_problem(&loading->report, *ret_root, CONFIG_ERROR,
                            "wanted a map of options, such as `workers: 2`; found %s",
                            config_node_found(*ret_root, found, sizeof found));
        return -EINVAL;
    }
    return config_walk(loading, *ret_root, "", NULL);
}

/* 0, problems or not / -ENOMEM. */
static int load(struct config_loading *loading, const struct config_source *source,
                const char *const *override, struct override *overrides, size_t override_count,
                struct config_node **ret_root)
{
    int rc = set_defaults(loading->config);

    if (rc == 0)
        rc = load_file(loading, source, ret_root);
    if (rc == -EINVAL && loading->report.errors > 0)
        rc = 0; /* -o is worth a look all the same */
    for (size_t i = 0; i < override_count && rc == 0; i++)
        rc = apply_override(loading, override[i], &overrides[i]);
    if (rc == 0)
        rc = config_route_load(loading);
    if (rc == 0)
        settle(loading, source);
    return rc;
}

int config_parse(const char *text, size_t text_bytes, const char *name, const char *const *override,
                 size_t override_count, struct config **ret_config,
                 struct config_problems *problems)
{
    struct config_source source = {.name = name, .text = text, .bytes = text_bytes};
    struct config_loading *loading = calloc(1, sizeof *loading);
    struct override *overrides = calloc(override_count + 1, sizeof overrides[0]);
    struct config_node *root = NULL;
    int rc = -ENOMEM;

    *problems = (struct config_problems){0};
    if (!loading || !overrides)
        goto out;
    loading->given = calloc(config_option_count, sizeof loading->given[0]);
    loading->config = calloc(1, sizeof *loading->config);
    if (!loading->given || !loading->config)
        goto out;
    loading->config->file = strdup(name);
    if (!loading->config->file)
        goto out;
    rc = load(loading, &source, override, overrides, override_count, &root);
    if (rc == 0 && loading->report.no_memory)
        rc = -ENOMEM;
    if (rc == 0)
        rc = config_problem_take(&loading->report, problems);
    if (rc == 0 && problems->errors > 0)
        rc = -EINVAL;
    if (rc == 0)
        *ret_config = take(loading->config);
out:
    config_node_free(root);
    overrides_done(overrides, override_count);
    if (loading) {
        config_problem_done(&loading->report);
        config_free(loading->config);
        free(loading->given);
    }
    free(loading);
    return rc;
}

/* The file's bytes, owned. */
static int read_whole(const char *path, char **ret_text, size_t *ret_bytes)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    autofree char *text = NULL;
    size_t cap_bytes = CONFIG_YAML_BYTES_MAX + 1; /* one more, so that a larger one is seen */
    size_t bytes = 0;
    ssize_t got;

    if (fd < 0)
        return -errno;
    text = malloc(cap_bytes);
    if (!text)
        return -ENOMEM;
    do {
        got = read(fd, text + bytes, cap_bytes - bytes);
        if (got < 0 && errno != EINTR)
            return -errno;
        bytes += got > 0 ? (size_t)got : 0;
    } while (got != 0 && bytes < cap_bytes);
    *ret_bytes = bytes;
    *ret_text = take(text);
    return 0;
}

int config_load(const char *path, const char *const *override, size_t override_count,
                struct config **ret_config, struct config_problems *problems)
{
    autofree char *text = NULL;
    size_t bytes = 0;
    int rc;

    if (!path)
        return config_parse("", 0, "", override, override_count, ret_config, problems);
    rc = read_whole(path, &text, &bytes);
    if (rc != 0) {
        struct config_source source = {.name = path};
        struct config_report report = {0};

        *problems = (struct config_problems){0};
        config_problem_add(&report, &source, 0, 0, CONFIG_ERROR, "can't be read: %s",
                           strerror(-rc));
        if (config_problem_take(&report, problems) != 0)
            rc = -ENOMEM;
        config_problem_done(&report);
        return rc;
    }
    return config_parse(text, bytes, path, override, override_count, ret_config, problems);
}

const char *config_default_path(void)
{
    static const char *const paths[] = {"./ssrd.yaml", "/etc/ssrd/ssrd.yaml"};

    for (size_t i = 0; i < array_len(paths); i++) {
        /* What exists but can't be read is an error later, not passed over. */
        if (access(paths[i], F_OK) == 0)
            return paths[i];
    }
    return NULL;
}

void config_print_options(FILE *out)
{
    for (size_t i = 0; i < config_option_count; i++) {
        const struct config_option *option = &config_options[i];
        char range[CONFIG_RANGE_BYTES];
        bool is_later = option->is_later && option->type != CONFIG_ROUTES;

        (void)config_option_range(option, range);
        fprintf(out, "  %s %s = %s: %s", option->key, config_option_type_name(option),
                option->initial[0] ? option->initial : "\"\"", option->text);
        if (option->choices[0])
            fprintf(out, " (%s)", option->choices);
        if (range[0])
            fprintf(out, " (%s)", range);
        if (is_later && option->later_value)
            fprintf(out, " [%s: not in this version]", option->later_value);
        else if (is_later)
            fprintf(out, " [not in this version]");
        fputc('\n', out);
    }
}
