/* SPDX-License-Identifier: MIT */
/*
 * config_option_list.c - options that hold several values: lists of names, headers, ttl by status.
 * Names are put in the form that workers compare (case, order) here, once.
 */
#include "master/config_option.h"

#include "master/config_value.h"
#include "shm/network.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void to_lower(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
    }
}

/* Does an item stand in "a|b|c"? */
static bool is_choice(const char *choices, const char *text)
{
    size_t bytes = strlen(text);

    for (const char *at = choices;; at++) {
        size_t length = strcspn(at, "|");

        if (length == bytes && memcmp(at, text, bytes) == 0)
            return true;
        at += length;
        if (*at == '\0')
            return false;
    }
}

/* What is wrong with an item; NULL: nothing. why: CONFIG_WHY_BYTES, may hold the answer. */
static const char *judge_item(const struct config_option *option, const char *text, char *why)
{
    struct network network;

    switch (option->type) {
    case CONFIG_ADDRESS_LIST:
        return config_value_address(text, why) == 0 ? NULL : why;
    case CONFIG_NETWORK_LIST:
        return network_parse(text, &network) == 0
                   ? NULL
                   : "wanted an address or a network, such as 192.0.2.1, 10.0.0.0/8 or unix";
    case CONFIG_PATH_LIST:
        return text[0] == '/' && config_value_is_header(text) && !strpbrk(text, " #")
                   ? NULL
                   : "wanted a path and query that begin with /";
    case CONFIG_HEADER_NAMES:
        return config_value_is_token(text) ? NULL : "not the name of a header";
    case CONFIG_COOKIE_NAMES:
        return config_value_is_token(text) ? NULL : "not the name of a cookie";
    case CONFIG_QUERY:
        return text[0] != '\0' && !strpbrk(text, "&=#?") ? NULL : "not the name of a parameter";
    default:
        if (text[0] == '\0')
            return "an empty text";
        if (option->choices[0] == '\0' || is_choice(option->choices, text))
            return NULL;
        (void)snprintf(why, CONFIG_WHY_BYTES, "wanted one of %s", option->choices);
        return why;
    }
}

static int read_item(const struct config_option *option, const struct config_node *node,
                     struct config_report *report, struct str_list *list)
{
    char path[CONFIG_YAML_PATH_BYTES];
    char found[CONFIG_SHOW_BYTES + 8];
    char why[CONFIG_WHY_BYTES];
    const char *wrong;
    char *text;

    if (node->kind != CONFIG_NODE_SCALAR)
        return config_option_wrong(report, node, "text");
    wrong = judge_item(option, node->text, why);
    if (wrong) {
        config_node_problem(report, node, CONFIG_ERROR, "`%s`: %s: %s",
                            config_node_path(node, path),
                            config_node_found(node, found, sizeof found), wrong);
        return -EINVAL;
    }
    text = strdup(node->text);
    if (!text)
        return -ENOMEM;
    if (option->type == CONFIG_HEADER_NAMES)
        to_lower(text);
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->item[i], text) != 0)
            continue;
        free(text);
        if (option->type != CONFIG_ADDRESS_LIST)
            return 0;
        config_node_problem(report, node, CONFIG_ERROR, "`%s`: %s stands there twice",
                            config_node_path(node, path),
                            config_node_found(node, found, sizeof found));
        return -EINVAL;
    }
    list->item[list->count++] = text;
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A scalar counts as a list of one. */
static int read_items(const struct config_option *option, const struct config_node *node,
                      struct config_report *report, struct str_list *list)
{
    const struct config_node *item = node->kind == CONFIG_NODE_LIST ? node->first : node;
    size_t count = node->kind == CONFIG_NODE_LIST ? node->count : 1;
    char path[CONFIG_YAML_PATH_BYTES];
    int result = 0;

    if (node->kind == CONFIG_NODE_MAP || node->kind == CONFIG_NODE_NULL)
        return config_option_wrong(report, node, "a list of texts");
    if (count < option->min || count > option->max) {
        config_node_problem(report, node, CONFIG_ERROR,
                            "`%s`: wanted %llu to %llu items; found %zu",
                            config_node_path(node, path), (unsigned long long)option->min,
                            (unsigned long long)option->max, count);
        return -EINVAL;
    }
    list->item = calloc(count + 1, sizeof list->item[0]);
    if (!list->item)
        return -ENOMEM;
    for (; count > 0; count--, item = item->next) {
        int rc = read_item(option, item, report, list);

        if (rc == -ENOMEM)
            return rc;
        if (rc != 0)
            result = rc; /* the other items are worth a look */
    }
    if (option->type == CONFIG_HEADER_NAMES || option->type == CONFIG_COOKIE_NAMES ||
        option->type == CONFIG_QUERY)
        qsort(list->item, list->count, sizeof list->item[0], compare_texts);
    return result;
}

int config_option_read_list(const struct config_option *option, const struct config_node *node,
                            struct config_report *report, union config_value *ret_value)
{
    if (option->type != CONFIG_QUERY)
        return read_items(option, node, report, &ret_value->list);
    if (node->kind == CONFIG_NODE_LIST) {
        ret_value->key.query = node->count > 0 ? QUERY_NAMED : QUERY_NONE;
        return read_items(option, node, report, &ret_value->key.query_names);
    }
    if (node->kind == CONFIG_NODE_SCALAR && strcmp(node->text, "all") == 0)
        ret_value->key.query = QUERY_ALL;
    else if (node->kind == CONFIG_NODE_SCALAR && strcmp(node->text, "none") == 0)
        ret_value->key.query = QUERY_NONE;
    else
        return config_option_wrong(report, node, "all, none, or a list of names in brackets");
    return 0;
}

static int compare_statuses(const void *a, const void *b)
{
    return (int)((const struct status_ttl *)a)->status -
           (int)((const struct status_ttl *)b)->status;
}

static int read_status(const struct config_option *option, const struct config_node *node,
                       struct config_report *report, struct status_ttl_list *list)
{
    struct status_ttl entry;
    uint64_t status;
    int rc;

    if (strlen(node->key->text) != 3 || config_value_count(node->key->text, &status) != 0 ||
        status < 200 || status > 599 || status == 206 || status == 304) {
        char path[CONFIG_YAML_PATH_BYTES];

        config_node_problem(
            report, node->key, CONFIG_ERROR,
            "`%s`: wanted a status from 200 to 599, other than 206 and 304: no other "
            "answers are stored",
            config_node_path(node, path));
        return -EINVAL;
    }
    rc = config_option_read_ms(option, node, report, &entry.ttl_ms);
    if (rc == 0) {
        entry.status = (uint16_t)status;
        list->item[list->count++] = entry;
    }
    return rc;
}

/* What the server itself writes; a second one would break the answer or lie. */
static bool is_own_header(const char *name)
{
    static const char *const own[] = {
        "age",
        "cache-status",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "date",
        "etag",
        "keep-alive",
        "trailer",
        "transfer-encoding",
        "upgrade",
    };

    for (size_t i = 0; i < array_len(own); i++) {
        if (strcmp(own[i], name) == 0)
            return true;
    }
    return false;
}

static int read_header(const struct config_node *node, struct config_report *report,
                       struct name_value_list *list)
{
    struct name_value *entry = &list->item[list->count];
    char path[CONFIG_YAML_PATH_BYTES];
    const char *wrong = NULL;

    if (node->kind == CONFIG_NODE_LIST || node->kind == CONFIG_NODE_MAP)
        return config_option_wrong(report, node, "text");
    entry->name = strdup(node->key->text);
    entry->value = strdup(node->text);
    list->count++; /* also half-built: freed with the list */
    if (!entry->name || !entry->value)
        return -ENOMEM;
    to_lower(entry->name);
    if (!config_value_is_token(entry->name))
        wrong = "not the name of a header";
    else if (is_own_header(entry->name))
        wrong = "the server sets this header itself";
    else if (!config_value_is_header(entry->value))
        wrong = "the value holds characters that no header may hold, or blanks at its ends";
    for (size_t i = 0; !wrong && i + 1 < list->count; i++) {
        if (strcmp(list->item[i].name, entry->name) == 0)
            wrong = "the same header twice (names have no upper and lower case)";
    }
    if (!wrong)
        return 0;
    config_node_problem(report, node->key, CONFIG_ERROR, "`%s`: %s", config_node_path(node, path),
                        wrong);
    return -EINVAL;
}

int config_option_read_map(const struct config_option *option, const struct config_node *node,
                           struct config_report *report, union config_value *ret_value)
{
    bool is_status = option->type == CONFIG_STATUS_TTLS;
    size_t bytes = is_status ? sizeof(struct status_ttl) : sizeof(struct name_value);
    void *items;
    int result = 0;

    if (!is_status && node->count > option->max)
        return config_option_wrong(report, node, "fewer headers");
    items = calloc(node->count + 1, bytes);
    if (!items)
        return -ENOMEM;
    if (is_status)
        ret_value->status.item = items;
    else
        ret_value->headers.item = items;
    for (const struct config_node *child = node->first; child; child = child->next) {
        int rc = is_status ? read_status(option, child, report, &ret_value->status)
                           : read_header(child, report, &ret_value->headers);

        if (rc == -ENOMEM)
            return rc;
        if (rc != 0)
            result = rc;
    }
    if (is_status)
        qsort(ret_value->status.item, ret_value->status.count, bytes, compare_statuses);
    return result;
}
