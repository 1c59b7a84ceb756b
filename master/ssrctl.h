/* SPDX-License-Identifier: MIT */
/*
 * ssrctl.h - the control program's parts: options, the line to the server, what is printed. One
 * process, one command, one thread; every wait has an end. Functions that return an exit code have
 * said on standard error why it is not 0.
 */
#ifndef SSRD_MASTER_SSRCTL_H
#define SSRD_MASTER_SSRCTL_H

#include "shm/base.h"

#include <jansson.h>
#include <stdio.h>

/* sysexits.h, and 1 for "the server refused or failed" */
enum ssrctl_exit {
    SSRCTL_OK = 0,
    SSRCTL_REFUSED = 1,
    SSRCTL_USAGE = 64,
    SSRCTL_NO_SERVER = 69,
    SSRCTL_INTERNAL = 70,
    SSRCTL_NO_PERMISSION = 77,
    SSRCTL_CONFIG = 78,
};

struct ssrctl {
    const char *socket; /* -s; NULL: not given */
    const char *config; /* -c; NULL: not given */
    bool json;
    bool all;
    const char *data;
    const char *prefix; /* the last one */
    unsigned timeout_s; /* 0: the command's own */
    unsigned given;     /* which options were: a bit each, ssrctl.c */
    json_t *urls;       /* arrays of strings */
    json_t *prefixes;
    json_t *tags;
    char **operand;
    int operand_count;
};

/* ssrctl_command.c */

int command_status(struct ssrctl *options);
int command_reload(struct ssrctl *options);
int command_stop(struct ssrctl *options);
int command_drain(struct ssrctl *options);
int command_check(struct ssrctl *options);
int command_render(struct ssrctl *options);
int command_cache_stat(struct ssrctl *options);
int command_cache_ls(struct ssrctl *options);
int command_cache_get(struct ssrctl *options);
int command_purge(struct ssrctl *options);
int command_log(struct ssrctl *options);

/* ssrctl_client.c */

struct client;

/* Connect to the server: -s, else -c's admin.socket, else the first default place that answers. */
int client_open(const struct ssrctl *options, struct client **ret_client);
void client_close(struct client *client); /* takes NULL */

/* Send one object. Takes request (NULL: out of memory). */
int client_send(struct client *client, json_t *request);

/*
 * The next line of the answer; owned. timeout_s: how long the server may be silent.
 * SSRCTL_OK with *ret_answer NULL: the server closed the connection.
 */
int client_receive(struct client *client, unsigned timeout_s, json_t **ret_answer);

/* Connect to a Unix socket. The descriptor, or negative errno. */
int client_connect(const char *path);

/* ssrctl_render.c */

/* POST /render on the server's admin interface; prints the page. */
int render_run(const struct ssrctl *options, const char *http_path, const char *url, json_t *data);

/* ssrctl_print.c */

void print_text(FILE *out, const char *text); /* control characters but line feed and tab escaped */
void print_status(FILE *out, const json_t *status);
void print_cache(FILE *out, const json_t *cache);
void print_entries_head(FILE *out);
void print_entry(FILE *out, const json_t *entry);
void print_entry_whole(FILE *out, const json_t *entry);

#endif
