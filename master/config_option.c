/* SPDX-License-Identifier: MIT */
/*
 * config_option.c - the table, the types with one value, and where values are kept. Types with
 * several: config_option_list.c.
 */
#include "master/config_option.h"

#include "master/config_json.h"
#include "master/config_record.h"
#include "master/config_value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What each type keeps in its field: a row whose field has another size does not compile. */
#define BYTES_BOOL sizeof(bool)
#define BYTES_COUNT32 sizeof(uint32_t)
#define BYTES_COUNT32_AUTO sizeof(uint32_t)
#define BYTES_COUNT64 sizeof(uint64_t)
#define BYTES_MS sizeof(uint64_t)
#define BYTES_US sizeof(uint64_t)
#define BYTES_TTL sizeof(uint64_t)
#define BYTES_SIZE sizeof(uint64_t)
#define BYTES_RATE sizeof(struct config_rate)
#define BYTES_FRACTION sizeof(double)
#define BYTES_CHOICE sizeof(int)
#define BYTES_TEXT sizeof(char *)
#define BYTES_ADDRESS sizeof(char *)
#define BYTES_TEXT_LIST sizeof(struct str_list)
#define BYTES_ADDRESS_LIST sizeof(struct str_list)
#define BYTES_NETWORK_LIST sizeof(struct str_list)
#define BYTES_PATH_LIST sizeof(struct str_list)
#define BYTES_HEADER_NAMES sizeof(struct str_list)
#define BYTES_COOKIE_NAMES sizeof(struct str_list)
#define BYTES_QUERY sizeof(struct config_key)
#define BYTES_STATUS_TTLS sizeof(struct status_ttl_list)
#define BYTES_HEADERS sizeof(struct name_value_list)
#define BYTES_RECORDS sizeof(struct config_records)
#define BYTES_JSON_MAP sizeof(char *)

#define OPTION(key, type, initial, min, max, choices, later, field, text)                          \
    static_assert(sizeof(((struct config *)0)->field) == BYTES_##type, key);
#define ABSENT(key, type, initial, min, max, choices, text)
#include "master/options.def"
#undef OPTION
#undef ABSENT

#define NOW false, NULL
#define LATER true, NULL
#define LATER_IF(value) true, value
#define OPTION(key, type, initial, min, max, choices, later, field, text)                          \
    {key, CONFIG_##type, initial, min, max, choices, later, offsetof(struct config, field), text},
#define ABSENT(key, type, initial, min, max, choices, text)                                        \
    {key, CONFIG_##type, initial, min, max, choices, LATER, CONFIG_NO_FIELD, text},

const struct config_option config_options[] = {
#include "master/options.def"
};
const size_t config_option_count = array_len(config_options);

static const struct {
    const char *name;   /* in `ssrd -h` */
    const char *wanted; /* in messages */
    size_t bytes;       /* of the value in its field */
} types[] = {
    [CONFIG_BOOL] = {"yes/no", "true or false", BYTES_BOOL},
    [CONFIG_COUNT32] = {"number", "a whole number", BYTES_COUNT32},
    [CONFIG_COUNT32_AUTO] = {"number", "a whole number, or auto", BYTES_COUNT32},
    [CONFIG_COUNT64] = {"number", "a whole number", BYTES_COUNT64},
    [CONFIG_MS] = {"duration", "a duration, such as 250ms, 5s, 10m or 1h", BYTES_MS},
    [CONFIG_US] = {"duration", "a duration, such as 500us or 1ms", BYTES_US},
    [CONFIG_TTL] = {"duration", "a duration, such as 5s, 10m or 1h, or auto", BYTES_TTL},
    [CONFIG_SIZE] = {"size", "a size, such as 64KiB, 16MiB or 1GiB", BYTES_SIZE},
    [CONFIG_RATE] = {"rate", "a number and a period, such as 50/s, 300/m or 1000/h", BYTES_RATE},
    [CONFIG_FRACTION] = {"share", "a share, such as 0.1", BYTES_FRACTION},
    [CONFIG_CHOICE] = {"word", NULL, BYTES_CHOICE},
    [CONFIG_TEXT] = {"text", "text", BYTES_TEXT},
    [CONFIG_ADDRESS] = {"address", "an address, such as 127.0.0.1:9180", BYTES_ADDRESS},
    [CONFIG_TEXT_LIST] = {"list", "a list of texts", BYTES_TEXT_LIST},
    [CONFIG_ADDRESS_LIST] = {"addresses", "a list of addresses", BYTES_ADDRESS_LIST},
    [CONFIG_NETWORK_LIST] = {"addresses", "a list of addresses and networks", BYTES_NETWORK_LIST},
    [CONFIG_PATH_LIST] = {"paths", "a list of paths", BYTES_PATH_LIST},
    [CONFIG_HEADER_NAMES] = {"names", "a list of header names", BYTES_HEADER_NAMES},
    [CONFIG_COOKIE_NAMES] = {"names", "a list of cookie names", BYTES_COOKIE_NAMES},
    [CONFIG_QUERY] = {"names", "all, none, or a list of names",
                      offsetof(struct config_key, headers)},
    [CONFIG_STATUS_TTLS] = {"map", "a map of statuses and durations, such as {404: 10s}",
                            BYTES_STATUS_TTLS},
    [CONFIG_HEADERS] = {"map", "a map of header names and values", BYTES_HEADERS},
    [CONFIG_RECORDS] = {"list", "a list of maps", BYTES_RECORDS},
    [CONFIG_JSON_MAP] = {"map", "a map", BYTES_JSON_MAP},
    [CONFIG_ANY_LIST] = {"list", "a list", 0},
    [CONFIG_ANY_MAP] = {"map", "a map", 0},
    [CONFIG_ROUTES] = {"list", "a list of routes", 0},
};

const char *config_option_type_name(const struct config_option *option)
{
    return types[option->type].name;
}

size_t config_option_bytes(const struct config_option *option)
{
    return types[option->type].bytes;
}

bool config_option_in_route(const struct config_option *option)
{
    return option->offset != CONFIG_NO_FIELD && option->offset >= offsetof(struct config, policy) &&
           option->offset < offsetof(struct config, policy) + sizeof(struct config_policy);
}

void *config_option_field(const struct config_option *option, struct config *config)
{
    return option->offset == CONFIG_NO_FIELD ? NULL : (char *)config + option->offset;
}

void *config_option_policy_field(const struct config_option *option, struct config_policy *policy)
{
    return config_option_in_route(option)
               ? (char *)policy + (option->offset - offsetof(struct config, policy))
               : NULL;
}

const char *config_option_range(const struct config_option *option,
                                char out[static CONFIG_RANGE_BYTES])
{
    char low[CONFIG_FORMAT_BYTES];
    char high[CONFIG_FORMAT_BYTES];
    uint64_t us = option->type == CONFIG_US ? 1 : 1000;

    out[0] = '\0';
    if (option->max == 0)
        return out;
    switch (option->type) {
    case CONFIG_COUNT32:
    case CONFIG_COUNT32_AUTO:
    case CONFIG_COUNT64:
        (void)snprintf(out, CONFIG_RANGE_BYTES, "%llu to %llu", (unsigned long long)option->min,
                       (unsigned long long)option->max);
        break;
    case CONFIG_MS:
    case CONFIG_US:
    case CONFIG_TTL:
    case CONFIG_STATUS_TTLS:
        (void)snprintf(out, CONFIG_RANGE_BYTES, "%s to %s",
                       config_value_format_us(option->min * us, low),
                       config_value_format_us(option->max * us, high));
        break;
    case CONFIG_SIZE:
        (void)snprintf(out, CONFIG_RANGE_BYTES, "%s to %s",
                       config_value_format_bytes(option->min, low),
                       config_value_format_bytes(option->max, high));
        break;
    case CONFIG_FRACTION:
        (void)snprintf(out, CONFIG_RANGE_BYTES, "%g to %g", (double)option->min / 100,
                       (double)option->max / 100);
        break;
    default:
        break;
    }
    return out;
}

int config_option_wrong(struct config_report *report, const struct config_node *node,
                        const char *wanted)
{
    char path[CONFIG_YAML_PATH_BYTES];
    char found[CONFIG_SHOW_BYTES + 8];

    config_node_problem(report, node, CONFIG_ERROR, "`%s`: wanted %s; found %s",
                        config_node_path(node, path), wanted,
                        config_node_found(node, found, sizeof found));
    return -EINVAL;
}

static int out_of_range(const struct config_option *option, const struct config_node *node,
                        struct config_report *report)
{
    char path[CONFIG_YAML_PATH_BYTES];
    char found[CONFIG_SHOW_BYTES + 8];
    char range[CONFIG_RANGE_BYTES];

    (void)config_option_range(option, range);
    config_node_problem(report, node, CONFIG_ERROR, "`%s`: %s is out of range%s%s",
                        config_node_path(node, path), config_node_found(node, found, sizeof found),
                        range[0] ? "; wanted " : "", range);
    return -EINVAL;
}

static bool in_range(const struct config_option *option, uint64_t value)
{
    return option->max == 0 || (value >= option->min && value <= option->max);
}

int config_option_read_ms(const struct config_option *option, const struct config_node *node,
                          struct config_report *report, uint64_t *ret_ms)
{
    const char *wanted =
        types[option->type == CONFIG_STATUS_TTLS ? CONFIG_MS : option->type].wanted;
    uint64_t us;
    int rc = node->kind == CONFIG_NODE_SCALAR ? config_value_duration(node->text, &us) : -EINVAL;

    if (rc == -ERANGE)
        return out_of_range(option, node, report);
    if (rc != 0 || us % 1000 != 0)
        return config_option_wrong(report, node, wanted);
    if (!in_range(option, us / 1000))
        return out_of_range(option, node, report);
    *ret_ms = us / 1000;
    return 0;
}

/* COUNT*, US and SIZE: how the number is written is all that differs. */
static int read_number(const struct config_option *option, const struct config_node *node,
                       struct config_report *report, uint64_t *ret_value)
{
    uint64_t value = 0;
    int rc = option->type == CONFIG_US     ? config_value_duration(node->text, &value)
             : option->type == CONFIG_SIZE ? config_value_size(node->text, &value)
                                           : config_value_count(node->text, &value);

    if (rc == -EINVAL)
        return config_option_wrong(report, node, types[option->type].wanted);
    if (rc != 0 || !in_range(option, value))
        return out_of_range(option, node, report);
    *ret_value = value;
    return 0;
}

static int read_fraction(const struct config_option *option, const struct config_node *node,
                         struct config_report *report, double *ret_value)
{
    double value;

    if (config_value_fraction(node->text, &value) != 0)
        return config_option_wrong(report, node, types[option->type].wanted);
    if (value < (double)option->min / 100 || value > (double)option->max / 100)
        return out_of_range(option, node, report);
    *ret_value = value;
    return 0;
}

static int read_choice(const struct config_option *option, const struct config_node *node,
                       struct config_report *report, int *ret_value)
{
    const char *text = node->text;
    const char *at = option->choices;
    char wanted[128];
    bool flag;

    if (strstr(option->choices, "|on|off") && config_value_bool(text, &flag) == 0)
        text = flag ? "on" : "off";
    for (int i = 0;; i++) {
        size_t bytes = strcspn(at, "|");

        if (strlen(text) == bytes && memcmp(text, at, bytes) == 0) {
            *ret_value = i;
            return 0;
        }
        if (at[bytes] == '\0')
            break;
        at += bytes + 1;
    }
    (void)snprintf(wanted, sizeof wanted, "one of %s", option->choices);
    return config_option_wrong(report, node, wanted);
}

static int read_text(const struct config_option *option, const struct config_node *node,
                     struct config_report *report, char **ret_text)
{
    size_t bytes = strlen(node->text);
    char path[CONFIG_YAML_PATH_BYTES];
    char why[CONFIG_WHY_BYTES];
    const char *text = node->text;
    bool flag = true;

    if (option->type == CONFIG_ADDRESS) {
        if (bytes == 0 || (config_value_bool(text, &flag) == 0 && !flag)) {
            text = "";
        } else if (config_value_address(text, why) != 0) {
            config_node_problem(report, node, CONFIG_ERROR, "`%s`: %s",
                                config_node_path(node, path), why);
            return -EINVAL;
        }
    } else if (bytes < option->min) {
        return config_option_wrong(report, node, types[option->type].wanted);
    } else if (bytes > option->max) {
        config_node_problem(report, node, CONFIG_ERROR, "`%s`: too long: at most %llu bytes",
                            config_node_path(node, path), (unsigned long long)option->max);
        return -EINVAL;
    }
    *ret_text = strdup(text);
    return *ret_text ? 0 : -ENOMEM;
}

/* "50/s"; "0" */
static int read_rate(const char *text, struct config_rate *ret_rate)
{
    static const struct {
        const char *suffix;
        uint32_t seconds;
    } periods[] = {{"/s", 1}, {"/m", 60}, {"/h", 3600}};
    const char *slash = strchr(text, '/');
    char number[16];
    uint64_t count;

    if (!slash) {
        *ret_rate = (struct config_rate){0, 1};
        return strcmp(text, "0") == 0 ? 0 : -EINVAL;
    }
    if ((size_t)(slash - text) >= sizeof number)
        return -EINVAL;
    memcpy(number, text, (size_t)(slash - text));
    number[slash - text] = '\0';
    if (config_value_count(number, &count) != 0 || count == 0 || count > 1000000)
        return -EINVAL;
    for (size_t i = 0; i < array_len(periods); i++) {
        if (strcmp(slash, periods[i].suffix) != 0)
            continue;
        *ret_rate = (struct config_rate){(uint32_t)count, periods[i].seconds};
        return 0;
    }
    return -EINVAL;
}

static int read_scalar(const struct config_option *option, const struct config_node *node,
                       struct config_report *report, union config_value *value)
{
    uint64_t number = 0;
    int rc;

    if (node->kind != CONFIG_NODE_SCALAR)
        return option->type == CONFIG_CHOICE
                   ? read_choice(option, node, report, &value->choice)
                   : config_option_wrong(report, node, types[option->type].wanted);
    switch (option->type) {
    case CONFIG_BOOL:
        if (config_value_bool(node->text, &value->boolean) != 0)
            return config_option_wrong(report, node, types[option->type].wanted);
        return 0;
    case CONFIG_TTL:
        if (strcmp(node->text, "auto") == 0) {
            value->count64 = CONFIG_TTL_AUTO;
            return 0;
        }
        return config_option_read_ms(option, node, report, &value->count64);
    case CONFIG_MS:
        return config_option_read_ms(option, node, report, &value->count64);
    case CONFIG_COUNT32:
    case CONFIG_COUNT32_AUTO:
        if (option->type == CONFIG_COUNT32_AUTO && strcmp(node->text, "auto") == 0)
            rc = 0;
        else
            rc = read_number(option, node, report, &number);
        value->count32 = (uint32_t)number; /* all have limits that fit */
        return rc;
    case CONFIG_COUNT64:
    case CONFIG_US:
    case CONFIG_SIZE:
        return read_number(option, node, report, &value->count64);
    case CONFIG_RATE:
        if (read_rate(node->text, &value->rate) != 0)
            return config_option_wrong(report, node, types[option->type].wanted);
        return 0;
    case CONFIG_FRACTION:
        return read_fraction(option, node, report, &value->fraction);
    case CONFIG_CHOICE:
        return read_choice(option, node, report, &value->choice);
    default:
        return read_text(option, node, report, &value->text);
    }
}

int config_option_read(const struct config_option *option, const struct config_node *node,
                       struct config_report *report, union config_value *ret_value)
{
    union config_value value = {0};
    int rc = 0;

    switch (option->type) {
    case CONFIG_RECORDS:
        if (node->kind != CONFIG_NODE_LIST)
            rc = config_option_wrong(report, node, types[option->type].wanted);
        else
            rc = config_record_read(option, node, report, &value.records);
        break;
    case CONFIG_ANY_LIST:
    case CONFIG_ROUTES:
        if (node->kind != CONFIG_NODE_LIST)
            rc = config_option_wrong(report, node, types[option->type].wanted);
        break;
    case CONFIG_ANY_MAP:
        if (node->kind != CONFIG_NODE_MAP)
            rc = config_option_wrong(report, node, types[option->type].wanted);
        break;
    case CONFIG_JSON_MAP:
        if (node->kind != CONFIG_NODE_MAP)
            rc = config_option_wrong(report, node, types[option->type].wanted);
        else
            rc = config_json(node, &value.text);
        break;
    case CONFIG_TEXT_LIST:
    case CONFIG_ADDRESS_LIST:
    case CONFIG_NETWORK_LIST:
    case CONFIG_PATH_LIST:
    case CONFIG_HEADER_NAMES:
    case CONFIG_COOKIE_NAMES:
    case CONFIG_QUERY:
        rc = config_option_read_list(option, node, report, &value);
        break;
    case CONFIG_STATUS_TTLS:
    case CONFIG_HEADERS:
        if (node->kind != CONFIG_NODE_MAP)
            rc = config_option_wrong(report, node, types[option->type].wanted);
        else
            rc = config_option_read_map(option, node, report, &value);
        break;
    default:
        rc = read_scalar(option, node, report, &value);
    }
    if (rc == 0)
        *ret_value = value;
    else
        config_option_value_done(option, &value);
    return rc;
}

int config_option_read_default(const struct config_option *option, union config_value *ret_value)
{
    struct config_source source = {.name = option->key,
                                   .text = option->initial,
                                   .bytes = strlen(option->initial),
                                   .is_override = true};
    struct config_report report = {0};
    struct config_node *node = NULL;
    bool is_yaml = option->initial[0] == '[' || option->initial[0] == '{';
    int rc = 0;

    if (is_yaml)
        rc = config_yaml_parse(&source, &report, &node);
    else
        node = config_node_new(&source, option->initial);
    if (rc == 0 && !node)
        rc = -ENOMEM;
    if (rc == 0)
        rc = config_option_read(option, node, &report, ret_value);
    config_node_free(node);
    config_problem_done(&report);
    return rc;
}

void config_option_store(const struct config_option *option, void *field, union config_value *value)
{
    union config_value old = {0};
    size_t bytes = types[option->type].bytes;

    memcpy(&old, field, bytes);
    config_option_value_done(option, &old);
    memcpy(field, value, bytes);
}
