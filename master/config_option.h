/* SPDX-License-Identifier: MIT */
/*
 * config_option.h - the table of options (master/options.def) and what its types mean: reading a
 * value from a YAML node, comparing, copying, storing it in a struct config.
 */
#ifndef SSRD_MASTER_CONFIG_OPTION_H
#define SSRD_MASTER_CONFIG_OPTION_H

#include "master/config_yaml.h"
#include "shm/config.h"

/* ANY_* and ROUTES have no value here: only their YAML kind is checked. */
enum config_type {
    CONFIG_BOOL,
    CONFIG_COUNT32,
    CONFIG_COUNT32_AUTO, /* auto: 0 */
    CONFIG_COUNT64,
    CONFIG_MS,
    CONFIG_US,
    CONFIG_TTL, /* ms; auto: CONFIG_TTL_AUTO */
    CONFIG_SIZE,
    CONFIG_RATE,
    CONFIG_FRACTION,
    CONFIG_CHOICE,
    CONFIG_TEXT,
    CONFIG_ADDRESS, /* off: "" */
    CONFIG_TEXT_LIST,
    CONFIG_ADDRESS_LIST,
    CONFIG_NETWORK_LIST,
    CONFIG_PATH_LIST,
    CONFIG_HEADER_NAMES, /* lower case, sorted, each once */
    CONFIG_COOKIE_NAMES, /* sorted, each once */
    CONFIG_QUERY,
    CONFIG_STATUS_TTLS, /* sorted */
    CONFIG_HEADERS,
    CONFIG_RECORDS,  /* config_record.h */
    CONFIG_JSON_MAP, /* any YAML, kept as JSON text */
    CONFIG_ANY_LIST,
    CONFIG_ANY_MAP,
    CONFIG_ROUTES,
};

#define CONFIG_NO_FIELD SIZE_MAX

struct config_option {
    const char *key;
    enum config_type type;
    const char *initial;
    uint64_t min;
    uint64_t max;
    const char *choices;
    bool is_later;
    const char
        *later_value; /* with is_later: the value that has no effect; NULL: any but the default */
    size_t offset;    /* in struct config, or CONFIG_NO_FIELD */
    const char *text;
};
extern const struct config_option config_options[];
extern const size_t config_option_count;

/* Begins where the field begins, so that storing is a copy of the field's bytes. */
union config_value {
    bool boolean;
    uint32_t count32;
    struct config_rate rate;
    uint64_t count64;
    double fraction;
    int choice;
    char *text;
    struct str_list list;
    struct config_key key; /* QUERY: query and query_names only */
    struct status_ttl_list status;
    struct name_value_list headers;
    struct config_records records;
};

/* Where the option may stand in a route. */
bool config_option_in_route(const struct config_option *option);

/*
 * Read a node. 0, *ret_value owned (config_option_value_done) / -EINVAL: reported / -ENOMEM.
 */
int config_option_read(const struct config_option *option, const struct config_node *node,
                       struct config_report *report, union config_value *ret_value);
int config_option_read_default(const struct config_option *option, union config_value *ret_value);

bool config_option_equal(const struct config_option *option, const union config_value *a,
                         const union config_value *b);
void config_option_value_done(const struct config_option *option, union config_value *value);

/* Where the option's value lies; NULL: it has no field. The second: in a route's policy. */
void *config_option_field(const struct config_option *option, struct config *config);
void *config_option_policy_field(const struct config_option *option, struct config_policy *policy);

/* A deep copy of a field's value. 0 / -ENOMEM. */
int config_option_copy(const struct config_option *option, const void *field,
                       union config_value *ret_value);

/* Put a value into its field, freeing what was there; takes the value. */
void config_option_store(const struct config_option *option, void *field,
                         union config_value *value);

/* In a route headers and status name only what differs: lay value over what the field holds.
 * 0 / -ENOMEM. */
int config_option_merge(const struct config_option *option, const void *field,
                        union config_value *value);

/* config_option_list.c, for config_option_read() alone: the types that hold several values. */
int config_option_read_list(const struct config_option *option, const struct config_node *node,
                            struct config_report *report, union config_value *ret_value);
int config_option_read_map(const struct config_option *option, const struct config_node *node,
                           struct config_report *report, union config_value *ret_value);

/* Report "wanted …; found …" at a node. Returns -EINVAL. */
int config_option_wrong(struct config_report *report, const struct config_node *node,
                        const char *wanted);

/* A duration within the option's limits, in milliseconds. 0 / -EINVAL: reported. */
int config_option_read_ms(const struct config_option *option, const struct config_node *node,
                          struct config_report *report, uint64_t *ret_ms);

/* "100us to 1s"; "" without limits. Returns out. */
#define CONFIG_RANGE_BYTES 128
const char *config_option_range(const struct config_option *option,
                                char out[static CONFIG_RANGE_BYTES]);

/* How much of a union config_value the option's field holds. */
size_t config_option_bytes(const struct config_option *option);

/* "duration": for help. */
const char *config_option_type_name(const struct config_option *option);

#endif
