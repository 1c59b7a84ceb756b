/* SPDX-License-Identifier: MIT */
/* config_record.c - see config_record.h. */
#include "master/config_record.h"

#include "master/config_value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define YEAR_MS (365ULL * 24 * 3600 * 1000)

#define FIELD(key, type, initial, min, max, record, field, text)                                   \
    {                                                                                              \
        key, CONFIG_##type, initial, min, max, "", false, NULL, offsetof(struct record, field),    \
            text                                                                                   \
    }

static const struct config_option static_fields[] = {
    FIELD("prefix", TEXT, "", 1, 1023, config_static, prefix, "the path they stand below"),
    FIELD("root", TEXT, "", 1, 4095, config_static, root, "the folder they lie in"),
    FIELD("max_age", MS, "0s", 0, 10 * YEAR_MS, config_static, max_age_ms,
          "how long browsers may keep them"),
    FIELD("immutable", BOOL, "false", 0, 0, config_static, is_immutable,
          "their names change with their content"),
    FIELD("index", TEXT, "auto", 0, 255, config_static, index,
          "the file that answers for a folder; empty: none; auto: index.html, but not below /"),
};

/* `listen` may be left out: where the protocol's own server listens by default. */
static const struct config_option gateway_fields[] = {
    {"protocol", CONFIG_CHOICE, "inertia", 0, 0, "inertia|hypernova", false, NULL,
     offsetof(struct config_gateway, protocol), "what the adapter speaks: inertia or hypernova"},
    FIELD("listen", ADDRESS, "off", 0, 0, config_gateway, listen, "where it calls"),
};

static const char *settle_gateway(void *item, const char **ret_wanted)
{
    struct config_gateway *gateway = item;
    char *listen;

    (void)ret_wanted;
    if (gateway->listen[0] != '\0')
        return NULL;
    listen = strdup(gateway->protocol == GATEWAY_INERTIA ? "127.0.0.1:13714" : "127.0.0.1:3030");
    if (!listen)
        return NULL; /* listening on "" is then what fails */
    free(gateway->listen);
    gateway->listen = listen;
    return NULL;
}

struct record {
    const char *key;
    const struct config_option *field;
    size_t field_count;
    size_t required; /* the first so many fields */
    size_t bytes;
    /* Settles what depends on several fields. NULL, or the field that is wrong, and *ret_wanted. */
    const char *(*settle)(void *item, const char **ret_wanted);
};

/* Below / the bundle renders the pages: an index.html there is most often the client build's empty
 * shell, and would hide the home page. */
static const char *settle_static(void *item, const char **ret_wanted)
{
    struct config_static *s = item;
    size_t bytes = strlen(s->prefix);

    *ret_wanted = "a path that begins and ends with /";
    if (s->prefix[0] != '/' || s->prefix[bytes - 1] != '/' || strpbrk(s->prefix, "*?#%"))
        return "prefix";
    *ret_wanted = "the name of a file, without /";
    if (strchr(s->index, '/'))
        return "index";
    if (strcmp(s->index, "auto") == 0) {
        char *index = strdup(bytes > 1 ? "index.html" : "");

        if (!index)
            return NULL; /* as good as "auto": no file is called so */
        free(s->index);
        s->index = index;
    }
    return NULL;
}

static const struct record records[] = {
    {"static", static_fields, array_len(static_fields), 2, sizeof(struct config_static),
     settle_static},
    {"gateway", gateway_fields, array_len(gateway_fields), 1, sizeof(struct config_gateway),
     settle_gateway},
};

static const struct record *record_of(const struct config_option *option)
{
    for (size_t i = 0; i < array_len(records); i++)
        if (strcmp(records[i].key, option->key) == 0)
            return &records[i];
    return NULL; /* a row of our own table, which a unit test reads */
}

static const struct config_node *child_of(const struct config_node *map, const char *key)
{
    for (const struct config_node *child = map->first; child; child = child->next)
        if (strcmp(child->key->text, key) == 0)
            return child;
    return NULL;
}

static void report_unknown(const struct record *record, const struct config_node *child,
                           struct config_report *report)
{
    const char *name = child->key->text;
    size_t best = strlen(name) / 3 + 2; /* further away it is another word */
    const char *meant = NULL;
    char path[CONFIG_YAML_PATH_BYTES];

    for (size_t i = 0; i < record->field_count; i++) {
        size_t distance = config_value_distance(record->field[i].key, name);

        if (distance < best) {
            best = distance;
            meant = record->field[i].key;
        }
    }
    (void)config_node_path(child, path);
    if (meant)
        config_node_problem(report, child->key, CONFIG_ERROR,
                            "unknown key `%s`; did you mean `%s`?", path, meant);
    else
        config_node_problem(report, child->key, CONFIG_ERROR, "unknown key `%s`", path);
}

static int check_keys(const struct record *record, const struct config_node *map,
                      struct config_report *report)
{
    int rc = 0;

    for (const struct config_node *child = map->first; child; child = child->next) {
        bool known = false;

        for (size_t i = 0; i < record->field_count; i++)
            known = known || strcmp(record->field[i].key, child->key->text) == 0;
        if (!known) {
            report_unknown(record, child, report);
            rc = -EINVAL;
        }
    }
    return rc;
}

static int read_field(const struct record *record, size_t at, const struct config_node *map,
                      struct config_report *report, void *item)
{
    const struct config_option *field = &record->field[at];
    const struct config_node *node = child_of(map, field->key);
    union config_value value = {0};
    char path[CONFIG_YAML_PATH_BYTES];
    int rc;

    if (node && node->kind == CONFIG_NODE_NULL)
        node = NULL;
    if (!node && at < record->required) {
        config_node_problem(report, map, CONFIG_ERROR, "`%s`: `%s` is missing: %s",
                            config_node_path(map, path), field->key, field->text);
        rc = config_option_read_default(field, &value);
        if (rc == 0)
            config_option_store(field, (char *)item + field->offset, &value);
        return rc == -ENOMEM ? rc : -EINVAL;
    }
    rc = node ? config_option_read(field, node, report, &value)
              : config_option_read_default(field, &value);
    if (rc == 0)
        config_option_store(field, (char *)item + field->offset, &value);
    return rc;
}

static int read_item(const struct record *record, const struct config_node *map,
                     struct config_report *report, void *item)
{
    const char *wanted;
    const char *bad;
    int rc;

    if (map->kind != CONFIG_NODE_MAP) {
        char want[128];

        (void)snprintf(want, sizeof want, "a map with `%s`", record->field[0].key);
        return config_option_wrong(report, map, want);
    }
    rc = check_keys(record, map, report);
    for (size_t i = 0; i < record->field_count; i++) {
        int error = read_field(record, i, map, report, item);

        if (error == -ENOMEM)
            return error;
        rc = error ? error : rc;
    }
    if (rc != 0)
        return rc;
    bad = record->settle ? record->settle(item, &wanted) : NULL;
    return bad ? config_option_wrong(report, child_of(map, bad), wanted) : 0;
}

void config_record_done(const struct config_option *option, struct config_records *list)
{
    const struct record *record = record_of(option);

    for (size_t i = 0; i < list->count; i++) {
        char *item = (char *)list->item + i * record->bytes;

        for (size_t j = 0; j < record->field_count; j++) {
            union config_value value = {0};

            memcpy(&value, item + record->field[j].offset, config_option_bytes(&record->field[j]));
            config_option_value_done(&record->field[j], &value);
        }
    }
    free(list->item);
    *list = (struct config_records){0};
}

int config_record_read(const struct config_option *option, const struct config_node *node,
                       struct config_report *report, struct config_records *ret_list)
{
    const struct record *record = record_of(option);
    struct config_records list = {0};
    int rc = 0;

    if (!record)
        return -EINVAL;
    list.item = calloc(node->count + 1, record->bytes);
    if (!list.item)
        return -ENOMEM;
    for (const struct config_node *child = node->first; child; child = child->next) {
        /* counted also half-read: freed with the list */
        int error =
            read_item(record, child, report, (char *)list.item + list.count++ * record->bytes);

        rc = error ? error : rc;
        if (error == -ENOMEM)
            break;
    }
    if (rc == 0)
        *ret_list = list;
    else
        config_record_done(option, &list);
    return rc;
}

static int copy_item(const struct record *record, const char *from, char *item)
{
    int rc = 0;

    for (size_t i = 0; i < record->field_count && rc == 0; i++) {
        const struct config_option *field = &record->field[i];
        union config_value value = {0};

        rc = config_option_copy(field, from + field->offset, &value);
        if (rc == 0)
            config_option_store(field, item + field->offset, &value);
    }
    return rc;
}

int config_record_copy(const struct config_option *option, const struct config_records *from,
                       struct config_records *ret_list)
{
    const struct record *record = record_of(option);
    struct config_records list = {.item = calloc(from->count + 1, record->bytes)};
    int rc = list.item ? 0 : -ENOMEM;

    for (; list.count < from->count && rc == 0; list.count++)
        rc = copy_item(record, (const char *)from->item + list.count * record->bytes,
                       (char *)list.item + list.count * record->bytes);
    if (rc == 0)
        *ret_list = list;
    else
        config_record_done(option, &list);
    return rc;
}
