/* SPDX-License-Identifier: MIT */
/*
 * config.h - the configuration as plain data, one struct for each section of the
 * YAML file. Filled by master/config_load.c from the table in master/options.def;
 * children are born with it (fork), so it is read-only after start-up.
 *
 * Units are in the names. Strings are owned by the struct config, "" means unset
 * unless a field says otherwise, never NULL.
 */
#ifndef SSRD_SHM_CONFIG_H
#define SSRD_SHM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str_list {
    char **item;
    size_t count;
};

struct name_value {
    char *name; /* header names: lower case */
    char *value;
};

struct name_value_list {
    struct name_value *item;
    size_t count;
};

/* "50/s": so many in so long; count 0: no limit */
struct config_rate {
    uint32_t count;
    uint32_t seconds;
};

struct status_ttl {
    uint16_t status;
    uint64_t ttl_ms;
};

struct status_ttl_list {
    struct status_ttl *item;
    size_t count;
};

/* Any list of maps: what config_static_list and its like look like from afar. */
struct config_records {
    void *item;
    size_t count;
};

enum config_gateway_protocol { GATEWAY_INERTIA, GATEWAY_HYPERNOVA };

/* A listener that speaks what other languages' adapters speak. */
struct config_gateway {
    enum config_gateway_protocol protocol;
    char *listen;
};

struct config_gateway_list {
    struct config_gateway *item;
    size_t count;
};

/* Files of a folder, served below a path. */
struct config_static {
    char *prefix; /* begins and ends with / */
    char *root;   /* a folder */
    uint64_t max_age_ms;
    bool is_immutable;
    char *index; /* the file that answers for a folder; "": none */
};

struct config_static_list {
    struct config_static *item;
    size_t count;
};

enum config_start { START_WARM, START_COLD };
enum config_bundle_format { BUNDLE_AUTO, BUNDLE_SCRIPT, BUNDLE_MODULE };
enum config_isolation { ISOLATION_SHARED, ISOLATION_RESET, ISOLATION_CONTEXT };
enum config_browser_globals { BROWSER_GLOBALS_AUTO, BROWSER_GLOBALS_ON, BROWSER_GLOBALS_OFF };
enum config_query { QUERY_ALL, QUERY_NONE, QUERY_NAMED };
enum config_on_reload { ON_RELOAD_DROP, ON_RELOAD_STALE };

#define CONFIG_TTL_AUTO UINT64_MAX

struct config_key {
    enum config_query query;
    struct str_list query_names; /* with QUERY_NAMED; sorted */
    struct str_list headers;     /* lower case, sorted */
    struct str_list cookies;     /* sorted */
};

/* What a route may override. A route's copy is complete: unset fields hold the global value. */
struct config_policy {
    uint64_t timeout_ms;
    uint32_t queue;  /* waiting renders, over all workers; a route's: of that route */
    uint64_t ttl_ms; /* or CONFIG_TTL_AUTO */
    uint64_t swr_ms;
    uint64_t sie_ms;
    struct config_key key;
    struct str_list bypass_headers; /* lower case */
    struct str_list bypass_cookies;
    struct status_ttl_list status;
    char *fallback;                 /* path */
    struct name_value_list headers; /* added to every page */
};

struct config_route {
    char *match; /* a path, with * for any run of characters at the end */
    struct config_policy policy;
};

struct config_route_list {
    struct config_route *item;
    size_t count;
};

struct config {
    char *file; /* where it was read from; "" without a file */

    struct str_list listen;
    bool listen_given;
    struct {
        char *listen; /* "": nowhere */
        char *socket;
        bool listen_given; /* written by the user: a taken port is then an error */
        bool socket_given;
    } admin;
    char *user;
    bool user_given;
    uint32_t workers; /* 0: auto */
    bool pin;
    enum config_start start;
    uint64_t shutdown_timeout_ms;
    struct {
        int level;    /* enum log_level */
        int format;   /* enum log_format */
        char *access; /* "off", "stderr" or a path */
    } log;
    struct {
        char *path;
        enum config_bundle_format format;
        char *function;
        struct str_list warmup;
        char *template_path;
        char *outlet; /* of the template: names of comments */
        char *head_outlet;
        char *manifest;
        char *base; /* of the manifest's files: a URL's beginning */
        bool watch;
    } bundle;
    struct {
        uint64_t grace_ms;
        uint64_t stall_ms;
        uint64_t tick_us;
        struct str_list buffer_for;
        uint64_t heap_bytes;
        enum config_isolation isolation;
        uint32_t concurrency; /* 0: auto */
        enum config_browser_globals browser_globals;
        uint64_t max_requests;
        uint64_t max_rss_bytes;
    } render;
    struct {
        uint64_t hot_bytes;
        uint64_t cold_bytes;
        char *file;
        uint64_t max_object_bytes;
        double refresh_ahead; /* 0 to 0.5 of the ttl */
        enum config_on_reload on_reload;
    } cache;
    struct {
        struct str_list encodings;
        uint64_t min_bytes;
    } compression;
    struct {
        uint64_t keepalive_ms;
        uint64_t header_timeout_ms;
        uint64_t body_timeout_ms;
        uint64_t send_timeout_ms;
        uint64_t min_rate_bytes; /* a second; 0: none */
        uint64_t max_header_bytes;
        uint64_t max_body_bytes;
        uint32_t connections; /* over all workers */
        bool early_hints;
        bool server_timing;
        struct {
            uint32_t connections; /* of one address; 0: any number */
            struct config_rate requests;
        } limit;
        struct str_list trusted; /* network.h */
        bool proxy_protocol;
    } http;
    struct {
        uint64_t timeout_ms;
        uint64_t max_body_bytes;
        struct str_list allow;
    } fetch;
    struct config_static_list statics;
    struct config_gateway_list gateways;
    char *env;                   /* JSON object */
    struct config_policy policy; /* the global values of what routes may override */
    struct config_route_list routes;
};

/* The policy of the first route that matches, else the global one. path: without query, as sent: it is brought into
 * the form that routes see (routepath.h). */
const struct config_policy *config_policy_for(const struct config *config, const char *path,
                                              size_t path_bytes);

/* Frees all that the struct owns, and the struct; takes NULL. */
void config_free(struct config *config);

#endif
