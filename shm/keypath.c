/* SPDX-License-Identifier: MIT */
/*
 * keypath.c - path and query in their normal form, on the stack alone. Parameters are compared as
 * they were sent: decoding would make two URLs one that a bundle may tell apart.
 *
 * Empty parameters (`a&&b`) go, as URLSearchParams sees none either. With more than PARAMETERS_MAX
 * to sort, the query stays in the order it came in: a correct key that is shared less often, at a
 * cost that a client can't drive up.
 */
#include "shm/keypath.h"

#include <errno.h>
#include <string.h>

#define PARAMETERS_MAX 128

static struct span parameter_name(struct span parameter)
{
    const char *equals = memchr(parameter.data, '=', parameter.bytes);

    return (struct span){parameter.data,
                         equals ? (size_t)(equals - parameter.data) : parameter.bytes};
}

/* By name alone: ?a=1&a=2 and ?a=2&a=1 are different requests to whoever takes the first. */
static int parameter_compare(struct span one, struct span other)
{
    struct span a = parameter_name(one);
    struct span b = parameter_name(other);
    int order = memcmp(a.data, b.data, a.bytes < b.bytes ? a.bytes : b.bytes);

    return order != 0 ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

static bool parameter_counts(const struct config_key *key, struct span parameter)
{
    struct span given = parameter_name(parameter);

    if (parameter.bytes == 0 || key->query == QUERY_NONE)
        return false;
    if (key->query == QUERY_ALL)
        return true;
    for (size_t i = 0; i < key->query_names.count; i++) {
        const char *name = key->query_names.item[i];

        if (strlen(name) == given.bytes && memcmp(name, given.data, given.bytes) == 0)
            return true;
    }
    return false;
}

/* The next parameter of the rest of a query, which is moved behind it. */
static struct span parameter_next(struct span *rest)
{
    const char *end = memchr(rest->data, '&', rest->bytes);
    struct span parameter = {rest->data, end ? (size_t)(end - rest->data) : rest->bytes};
    size_t step = parameter.bytes + (end ? 1 : 0);

    rest->data += step;
    rest->bytes -= step;
    return parameter;
}

/* Insert behind those that are not greater: stable. Searching by halves keeps the comparisons,
 * which a client can make long, at seven for each parameter. */
static void insert_sorted(struct span *sorted, size_t count, struct span parameter)
{
    size_t low = 0;
    size_t high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (parameter_compare(sorted[middle], parameter) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(&sorted[low + 1], &sorted[low], (count - low) * sizeof sorted[0]);
    sorted[low] = parameter;
}

struct output {
    char *data;
    size_t bytes;
    size_t cap_bytes;
    bool has_query;
};

static int put(struct output *out, const char *data, size_t bytes)
{
    if (bytes > out->cap_bytes - out->bytes)
        return -ENOBUFS;
    memcpy(out->data + out->bytes, data, bytes);
    out->bytes += bytes;
    return 0;
}

static int put_parameter(struct output *out, struct span parameter)
{
    int rc = put(out, out->has_query ? "&" : "?", 1);

    out->has_query = true;
    return rc != 0 ? rc : put(out, parameter.data, parameter.bytes);
}

static int put_query(const struct config_key *key, struct span query, struct output *out)
{
    struct span sorted[PARAMETERS_MAX];
    size_t count = 0;
    struct span rest = query;
    int rc = 0;

    while (rest.bytes > 0 && count <= PARAMETERS_MAX) {
        struct span parameter = parameter_next(&rest);

        if (!parameter_counts(key, parameter))
            continue;
        if (count < PARAMETERS_MAX)
            insert_sorted(sorted, count, parameter);
        count++;
    }
    if (count > PARAMETERS_MAX) {
        for (rest = query; rest.bytes > 0 && rc == 0;) {
            struct span parameter = parameter_next(&rest);

            if (parameter_counts(key, parameter))
                rc = put_parameter(out, parameter);
        }
        return rc;
    }
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = put_parameter(out, sorted[i]);
    return rc;
}

int keypath_normalise(const struct config_key *key, const char *url, size_t url_bytes, char *out,
                      size_t cap_bytes, size_t *ret_bytes)
{
    struct output output = {.data = out, .cap_bytes = cap_bytes};
    const char *fragment = memchr(url, '#', url_bytes);
    size_t bytes = fragment ? (size_t)(fragment - url) : url_bytes;
    const char *mark = memchr(url, '?', bytes);
    size_t path_bytes = mark ? (size_t)(mark - url) : bytes;
    int rc = put(&output, url, path_bytes);

    if (rc == 0 && mark)
        rc = put_query(key, (struct span){mark + 1, bytes - path_bytes - 1}, &output);
    if (rc == 0)
        *ret_bytes = output.bytes;
    return rc;
}
