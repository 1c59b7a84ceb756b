/* SPDX-License-Identifier: MIT */
/*
 * config_option_copy.c - values as things that are owned: freed, copied for routes, compared with
 * defaults, laid over what a route inherits.
 */
#include "master/config_option.h"

#include "master/config_record.h"

#include <errno.h>
#include <string.h>

static void list_done(struct str_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->item[i]);
    free(list->item);
    *list = (struct str_list){0};
}

static void headers_done(struct name_value_list *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        free(headers->item[i].name);
        free(headers->item[i].value);
    }
    free(headers->item);
    *headers = (struct name_value_list){0};
}

void config_option_value_done(const struct config_option *option, union config_value *value)
{
    switch (option->type) {
    case CONFIG_TEXT:
    case CONFIG_ADDRESS:
    case CONFIG_JSON_MAP:
        free(value->text);
        break;
    case CONFIG_TEXT_LIST:
    case CONFIG_ADDRESS_LIST:
    case CONFIG_NETWORK_LIST:
    case CONFIG_PATH_LIST:
    case CONFIG_HEADER_NAMES:
    case CONFIG_COOKIE_NAMES:
        list_done(&value->list);
        break;
    case CONFIG_QUERY:
        list_done(&value->key.query_names);
        break;
    case CONFIG_STATUS_TTLS:
        free(value->status.item);
        break;
    case CONFIG_HEADERS:
        headers_done(&value->headers);
        break;
    case CONFIG_RECORDS:
        config_record_done(option, &value->records);
        break;
    default:
        break;
    }
}

static int compare_statuses(const void *a, const void *b)
{
    return (int)((const struct status_ttl *)a)->status -
           (int)((const struct status_ttl *)b)->status;
}

static int copy_list(const struct str_list *from, struct str_list *ret_list)
{
    struct str_list list = {.item = calloc(from->count + 1, sizeof list.item[0])};

    if (!list.item)
        return -ENOMEM;
    for (size_t i = 0; i < from->count; i++) {
        list.item[i] = strdup(from->item[i]);
        list.count++;
        if (!list.item[i]) {
            list_done(&list);
            return -ENOMEM;
        }
    }
    *ret_list = list;
    return 0;
}

static int append_header(struct name_value_list *list, const struct name_value *header)
{
    struct name_value *entry = &list->item[list->count++];

    entry->name = strdup(header->name);
    entry->value = strdup(header->value);
    return entry->name && entry->value ? 0 : -ENOMEM;
}

static int copy_headers(const struct name_value_list *from, struct name_value_list *ret_list)
{
    struct name_value_list list = {.item = calloc(from->count + 1, sizeof list.item[0])};

    if (!list.item)
        return -ENOMEM;
    for (size_t i = 0; i < from->count; i++) {
        if (append_header(&list, &from->item[i]) != 0) {
            headers_done(&list);
            return -ENOMEM;
        }
    }
    *ret_list = list;
    return 0;
}

static int copy_statuses(const struct status_ttl_list *from, struct status_ttl_list *ret_list)
{
    struct status_ttl *item = calloc(from->count + 1, sizeof item[0]);

    if (!item)
        return -ENOMEM;
    if (from->count > 0)
        memcpy(item, from->item, from->count * sizeof item[0]);
    *ret_list = (struct status_ttl_list){item, from->count};
    return 0;
}

int config_option_copy(const struct config_option *option, const void *field,
                       union config_value *ret_value)
{
    const struct config_key *key = field;
    const char *const *text = field;

    switch (option->type) {
    case CONFIG_TEXT:
    case CONFIG_ADDRESS:
    case CONFIG_JSON_MAP:
        ret_value->text = strdup(*text);
        return ret_value->text ? 0 : -ENOMEM;
    case CONFIG_TEXT_LIST:
    case CONFIG_ADDRESS_LIST:
    case CONFIG_NETWORK_LIST:
    case CONFIG_PATH_LIST:
    case CONFIG_HEADER_NAMES:
    case CONFIG_COOKIE_NAMES:
        return copy_list(field, &ret_value->list);
    case CONFIG_QUERY:
        ret_value->key.query = key->query;
        return copy_list(&key->query_names, &ret_value->key.query_names);
    case CONFIG_STATUS_TTLS:
        return copy_statuses(field, &ret_value->status);
    case CONFIG_HEADERS:
        return copy_headers(field, &ret_value->headers);
    case CONFIG_RECORDS:
        return config_record_copy(option, field, &ret_value->records);
    default:
        memcpy(ret_value, field, config_option_bytes(option));
        return 0;
    }
}

static bool lists_equal(const struct str_list *a, const struct str_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->item[i], b->item[i]) != 0)
            return false;
    }
    return true;
}

static bool headers_equal(const struct name_value_list *a, const struct name_value_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->item[i].name, b->item[i].name) != 0 ||
            strcmp(a->item[i].value, b->item[i].value) != 0)
            return false;
    }
    return true;
}

static bool statuses_equal(const struct status_ttl_list *a, const struct status_ttl_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->item[i].status != b->item[i].status || a->item[i].ttl_ms != b->item[i].ttl_ms)
            return false;
    }
    return true;
}

bool config_option_equal(const struct config_option *option, const union config_value *a,
                         const union config_value *b)
{
    switch (option->type) {
    case CONFIG_TEXT:
    case CONFIG_ADDRESS:
    case CONFIG_JSON_MAP:
        return strcmp(a->text, b->text) == 0;
    case CONFIG_TEXT_LIST:
    case CONFIG_ADDRESS_LIST:
    case CONFIG_NETWORK_LIST:
    case CONFIG_PATH_LIST:
    case CONFIG_HEADER_NAMES:
    case CONFIG_COOKIE_NAMES:
        return lists_equal(&a->list, &b->list);
    case CONFIG_QUERY:
        return a->key.query == b->key.query &&
               lists_equal(&a->key.query_names, &b->key.query_names);
    case CONFIG_STATUS_TTLS:
        return statuses_equal(&a->status, &b->status);
    case CONFIG_HEADERS:
        return headers_equal(&a->headers, &b->headers);
    case CONFIG_RECORDS: /* compared with the default only, which is empty */
        return a->records.count == 0 && b->records.count == 0;
    default:
        return memcmp(a, b, config_option_bytes(option)) == 0;
    }
}

static int merge_headers(const struct name_value_list *under, struct name_value_list *over)
{
    struct name_value_list list = {.item =
                                       calloc(under->count + over->count + 1, sizeof list.item[0])};
    int rc = list.item ? 0 : -ENOMEM;

    for (size_t i = 0; i < under->count && rc == 0; i++) {
        bool replaced = false;

        for (size_t j = 0; j < over->count; j++)
            replaced = replaced || strcmp(under->item[i].name, over->item[j].name) == 0;
        if (!replaced)
            rc = append_header(&list, &under->item[i]);
    }
    for (size_t j = 0; j < over->count && rc == 0; j++)
        rc = append_header(&list, &over->item[j]);
    if (rc != 0) {
        headers_done(&list);
        return rc;
    }
    headers_done(over);
    *over = list;
    return 0;
}

static int merge_statuses(const struct status_ttl_list *under, struct status_ttl_list *over)
{
    struct status_ttl *item = calloc(under->count + over->count + 1, sizeof item[0]);
    size_t count = 0;

    if (!item)
        return -ENOMEM;
    for (size_t i = 0; i < under->count; i++) {
        if (!bsearch(&under->item[i], over->item, over->count, sizeof item[0], compare_statuses))
            item[count++] = under->item[i];
    }
    if (over->count > 0)
        memcpy(item + count, over->item, over->count * sizeof item[0]);
    count += over->count;
    qsort(item, count, sizeof item[0], compare_statuses);
    free(over->item);
    *over = (struct status_ttl_list){item, count};
    return 0;
}

int config_option_merge(const struct config_option *option, const void *field,
                        union config_value *value)
{
    if (option->type == CONFIG_HEADERS)
        return merge_headers(field, &value->headers);
    if (option->type == CONFIG_STATUS_TTLS)
        return merge_statuses(field, &value->status);
    return 0;
}
