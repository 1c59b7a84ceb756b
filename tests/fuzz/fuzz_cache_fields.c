/* SPDX-License-Identifier: MIT */
/*
 * fuzz_cache_fields.c - fields about caching: Cache-Control, CDN-Cache-Control, entity tags, and values in the keys of
 * variants. The input is one value. Beyond not crashing: numbers are in range, a normal form is not longer, and
 * is its own normal form.
 */
#include "worker/cache_control.h"
#include "worker/condition.h"
#include "worker/vary.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_seconds(const struct cache_control *c)
{
    const int64_t all[] = {c->max_age_s, c->s_maxage_s, c->swr_s, c->sie_s};

    for (size_t i = 0; i < array_len(all); i++)
        assert(all[i] >= -1 && all[i] <= INT32_MAX);
}

static void check_normal_form(struct span value)
{
    static const char *const names[] = {"accept-language", "x-any"};

    for (size_t i = 0; i < array_len(names); i++) {
        struct span name = {names[i], strlen(names[i])};
        char *once = malloc(value.bytes + 1);
        char *twice = malloc(value.bytes + 1);
        size_t once_bytes;
        size_t twice_bytes;

        assert(once && twice);
        once_bytes = vary_normalise(name, value, once);
        assert(once_bytes <= value.bytes);
        twice_bytes = vary_normalise(name, (struct span){once, once_bytes}, twice);
        assert(twice_bytes == once_bytes && memcmp(once, twice, once_bytes) == 0);
        free(once);
        free(twice);
    }
}

static void check_names(const char *text, size_t bytes)
{
    struct vary vary;

    vary_init(&vary);
    for (size_t at = 0; at < bytes;) {
        const char *stop = memchr(text + at, ',', bytes - at);
        size_t n = stop ? (size_t)(stop - text) - at : bytes - at;

        if (vary_add(&vary, text + at, n))
            assert(vary.count > 0 && vary.count <= VARY_NAMES_MAX);
        at += n + 1;
    }
    assert(vary.bytes <= sizeof vary.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct span value = {(const char *)data, bytes};
    struct cache_control control;

    cache_control_init(&control);
    cache_control_parse(value.data, value.bytes, &control);
    check_seconds(&control);
    cache_control_init(&control);
    (void)cache_control_parse_cdn(value.data, value.bytes, &control);
    check_seconds(&control);
    (void)condition_names(value, (struct span){"\"a\"", 3}, false);
    (void)condition_names((struct span){"\"a\"", 3}, value, true);
    check_normal_form(value);
    check_names(value.data, value.bytes);
    return 0;
}
