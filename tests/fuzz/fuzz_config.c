/* SPDX-License-Identifier: MIT */
/*
 * fuzz_config.c - a config file and overrides, both foreign: the text up to the first NUL is the
 * YAML, each further NUL-separated piece is one -o. What loads must have the shape that workers
 * rely on.
 */
#include "master/config_load.h"
#include "shm/base.h"

#include <errno.h>
#include <string.h>

#define OVERRIDES_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void expect(int truth)
{
    if (!truth)
        abort();
}

static void check_policy(const struct config_policy *policy)
{
    expect(policy->fallback != NULL);
    expect((policy->key.query == QUERY_NAMED) == (policy->key.query_names.count > 0));
    for (size_t i = 1; i < policy->key.headers.count; i++)
        expect(strcmp(policy->key.headers.item[i - 1], policy->key.headers.item[i]) < 0);
    for (size_t i = 0; i < policy->headers.count; i++)
        expect(strpbrk(policy->headers.item[i].value, "\r\n") == NULL);
    for (size_t i = 1; i < policy->status.count; i++)
        expect(policy->status.item[i - 1].status < policy->status.item[i].status);
}

static void check(const struct config *config)
{
    expect(config->listen.count > 0);
    expect(config->cache.max_object_bytes <= config->cache.cold_bytes);
    check_policy(&config->policy);
    for (size_t i = 0; i < config->routes.count; i++) {
        expect(config->routes.item[i].match[0] == '/');
        check_policy(&config->routes.item[i].policy);
    }
    expect(config_policy_for(config, "/a", 2) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    autofree char *text = malloc(bytes + 1);
    const char *override[OVERRIDES_MAX];
    size_t count = 0;
    size_t file_bytes;
    struct config *config = NULL;
    struct config_problems problems = {0};
    int rc;

    if (!text)
        return 0;
    if (bytes > 0)
        memcpy(text, data, bytes);
    text[bytes] = '\0';
    file_bytes = strlen(text);
    for (size_t at = file_bytes + 1; at < bytes && count < OVERRIDES_MAX;
         at += strlen(text + at) + 1)
        override[count++] = text + at;
    rc = config_parse(text, file_bytes, "fuzz.yaml", override, count, &config, &problems);
    expect((rc == 0) == (config != NULL));
    expect(rc != -EINVAL || (problems.errors > 0 && problems.count > 0));
    expect(rc != 0 || problems.errors == 0);
    if (config)
        check(config);
    config_free(config);
    config_problems_done(&problems);
    return 0;
}
