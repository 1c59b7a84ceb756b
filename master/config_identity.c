/* SPDX-License-Identifier: MIT */
/*
 * config_identity.c - see config_identity.h. Made from the table, so an option that is new counts until
 * somebody says here that it does not: a page too many is dropped at a restart, never one too few.
 */
#include "master/config_identity.h"

#include "master/config_option.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Keys, or where they end in a dot, beginnings of keys. */
static const char *const without_effect[] = {
    "listen",
    "admin.",
    "user",
    "workers",
    "pin",
    "start",
    "shutdown_timeout",
    "log.",
    "bundle.path",
    "bundle.warmup",
    "bundle.watch",
    "render.timeout",
    "render.grace",
    "render.stall",
    "render.tick",
    "render.buffer_for",
    "render.heap",
    "render.concurrency",
    "render.queue",
    "render.max_requests",
    "render.max_rss",
    "cache.hot",
    "cache.cold",
    "cache.file",
    "cache.max_object",
    "cache.ttl",
    "cache.swr",
    "cache.sie",
    "cache.bypass.",
    "cache.status",
    "cache.refresh_ahead",
    "cache.on_reload",
    "http.",
};

static bool has_effect(const char *key)
{
    for (size_t i = 0; i < array_len(without_effect); i++) {
        const char *other = without_effect[i];
        size_t bytes = strlen(other);

        if (other[bytes - 1] == '.' ? strncmp(key, other, bytes) == 0 : strcmp(key, other) == 0)
            return false;
    }
    return true;
}

/* With their ends, so that "ab", "c" is not "a", "bc". */
static void add_text(XXH3_state_t *state, const char *text)
{
    (void)XXH3_64bits_update(state, text, strlen(text) + 1);
}

static void add_bytes(XXH3_state_t *state, const void *data, size_t bytes)
{
    (void)XXH3_64bits_update(state, data, bytes);
}

static void add_list(XXH3_state_t *state, const struct str_list *list)
{
    add_bytes(state, &list->count, sizeof list->count);
    for (size_t i = 0; i < list->count; i++)
        add_text(state, list->item[i]);
}

static void add_statuses(XXH3_state_t *state, const struct status_ttl_list *list)
{
    add_bytes(state, &list->count, sizeof list->count);
    for (size_t i = 0; i < list->count; i++) {
        add_bytes(state, &list->item[i].status, sizeof list->item[i].status);
        add_bytes(state, &list->item[i].ttl_ms, sizeof list->item[i].ttl_ms);
    }
}

static void add_headers(XXH3_state_t *state, const struct name_value_list *list)
{
    add_bytes(state, &list->count, sizeof list->count);
    for (size_t i = 0; i < list->count; i++) {
        add_text(state, list->item[i].name);
        add_text(state, list->item[i].value);
    }
}

static void add_field(XXH3_state_t *state, const struct config_option *option, const void *field)
{
    const union config_value *value = field;

    add_text(state, option->key);
    switch (option->type) {
    case CONFIG_TEXT:
    case CONFIG_ADDRESS:
    case CONFIG_JSON_MAP:
        add_text(state, value->text);
        break;
    case CONFIG_TEXT_LIST:
    case CONFIG_ADDRESS_LIST:
    case CONFIG_NETWORK_LIST:
    case CONFIG_PATH_LIST:
    case CONFIG_HEADER_NAMES:
    case CONFIG_COOKIE_NAMES:
        add_list(state, &value->list);
        break;
    case CONFIG_QUERY:
        add_bytes(state, &value->key.query, sizeof value->key.query);
        add_list(state, &value->key.query_names);
        break;
    case CONFIG_STATUS_TTLS:
        add_statuses(state, &value->status);
        break;
    case CONFIG_HEADERS:
        add_headers(state, &value->headers);
        break;
    case CONFIG_BOOL:
    case CONFIG_COUNT32:
    case CONFIG_COUNT32_AUTO:
    case CONFIG_COUNT64:
    case CONFIG_MS:
    case CONFIG_US:
    case CONFIG_TTL:
    case CONFIG_SIZE:
    case CONFIG_RATE:
    case CONFIG_FRACTION:
    case CONFIG_CHOICE:
        add_bytes(state, field, config_option_bytes(option));
        break;
    case CONFIG_RECORDS: /* static folders: files are not kept in the cache */
    case CONFIG_ANY_LIST:
    case CONFIG_ANY_MAP:
    case CONFIG_ROUTES:
        break;
    } /* no default: the compiler then asks about a type that is new */
}

uint64_t config_identity(const struct config *config)
{
    XXH3_state_t state;

    (void)XXH3_64bits_reset(&state);
    for (size_t i = 0; i < config_option_count; i++) {
        const struct config_option *option = &config_options[i];
        /* the pointer's other readers write: here nobody does */
        const void *field = config_option_field(option, (struct config *)(uintptr_t)config);

        if (field != NULL && has_effect(option->key))
            add_field(&state, option, field);
    }
    for (size_t r = 0; r < config->routes.count; r++) {
        const struct config_route *route = &config->routes.item[r];

        add_text(&state, route->match);
        for (size_t i = 0; i < config_option_count; i++) {
            const struct config_option *option = &config_options[i];

            if (config_option_in_route(option) && has_effect(option->key))
                add_field(&state, option,
                          config_option_policy_field(
                              option, (struct config_policy *)(uintptr_t)&route->policy));
        }
    }
    return XXH3_64bits_digest(&state);
}
