/* SPDX-License-Identifier: MIT */
/*
 * config_expand.c - `${NAME}` in values, from the environment of the process that reads the config.
 * One pass: what a variable holds is not looked at again, so it can't name further ones.
 */
#include "master/config_value.h"

#include "shm/base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define EXPANDED_BYTES_MAX (64 * KIB)
#define NAME_BYTES_MAX 200
#define NAME_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"

/* Appends, and drops what is above the limit but for its length: seen once, at the end. */
static void append(char *out, size_t *used, const char *data, size_t bytes)
{
    if (*used + bytes <= EXPANDED_BYTES_MAX)
        memcpy(out + *used, data, bytes);
    *used += bytes;
}

/* The variable behind "${" at *at, which is moved behind its "}". */
static int variable(const char **at, char *name, char *out, size_t *used)
{
    const char *start = *at;
    const char *end = strchr(start, '}');
    size_t bytes = strspn(start, NAME_LETTERS "0123456789");
    char key[NAME_BYTES_MAX + 1];
    const char *value;

    if (!end || bytes == 0 || bytes > NAME_BYTES_MAX || strspn(start, NAME_LETTERS) == 0 ||
        (start[bytes] != '}' && strncmp(start + bytes, ":-", 2) != 0)) {
        (void)config_value_show(start - 2, name);
        return -EINVAL;
    }
    memcpy(key, start, bytes);
    key[bytes] = '\0';
    *at = end + 1;
    value = getenv(key);
    if (start[bytes] == ':' && (!value || value[0] == '\0')) {
        append(out, used, start + bytes + 2, (size_t)(end - start) - bytes - 2);
        return 0;
    }
    if (!value) {
        (void)config_value_show(key, name);
        return -ENOENT;
    }
    append(out, used, value, strlen(value));
    return 0;
}

int config_value_expand(const char *text, char **ret_text, char *name)
{
    autofree char *out = NULL;
    size_t used = 0;

    if (!strstr(text, "${")) { /* nearly always */
        out = strdup(text);
        if (!out)
            return -ENOMEM;
        *ret_text = take(out);
        return 0;
    }
    out = malloc(EXPANDED_BYTES_MAX + 1);
    if (!out)
        return -ENOMEM;
    while (*text != '\0') {
        if (strncmp(text, "$${", 3) == 0) {
            append(out, &used, "${", 2);
            text += 3;
        } else if (strncmp(text, "${", 2) == 0) {
            int rc;

            text += 2;
            rc = variable(&text, name, out, &used);
            if (rc != 0)
                return rc;
        } else {
            size_t bytes = strcspn(text + 1, "$") + 1;

            append(out, &used, text, bytes);
            text += bytes;
        }
    }
    if (used > EXPANDED_BYTES_MAX)
        return -E2BIG;
    out[used] = '\0';
    *ret_text = take(out);
    return 0;
}
