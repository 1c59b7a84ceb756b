/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http_fields.c - Range, Accept-Encoding, dates and paths of files from any bytes. Beyond not
 * crashing: a part lies in the whole, a choice is one that was there, a date that was read is
 * written back as one that reads the same, and a file's name has no way up.
 */
#include "worker/http_accept.h"
#include "worker/http_date.h"
#include "worker/http_range.h"
#include "worker/static_path.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_range(struct span text, uint64_t total)
{
    uint64_t first = 0;
    uint64_t part = 0;

    if (http_range_parse(text, total, &first, &part) == HTTP_RANGE_PART)
        assert(part > 0 && first < total && part <= total - first);
}

static void check_encoding(struct span text, unsigned mask)
{
    static const enum page_encoding order[] = {PAGE_ZSTD, PAGE_BR, PAGE_GZIP};
    struct http_accept accept = http_accept_parse(text);
    enum page_encoding got = http_accept_choose(&accept, mask, order, array_len(order));

    for (size_t i = 0; i < PAGE_ENCODINGS; i++)
        assert(accept.weight[i] <= 1000);
    assert(got == PAGE_IDENTITY || ((mask >> got & 1) && accept.weight[got] > 0));
}

static void check_date(struct span text)
{
    char again[HTTP_DATE_BYTES + 1];
    uint64_t unix_s;
    uint64_t same;

    if (http_date_parse(text, 1795161600, &unix_s) != 0)
        return;
    http_date_format(unix_s, again);
    assert(http_date_parse((struct span){again, HTTP_DATE_BYTES}, 1795161600, &same) == 0);
    assert(same == unix_s);
}

static void check_path(struct span text)
{
    char name[STATIC_PATH_BYTES_MAX];
    int got = static_path(text.data, text.bytes, "/", name);

    if (got < 0)
        return;
    assert(strlen(name) == (size_t)got && name[0] != '/' && !strstr(name, "//"));
    assert(strncmp(name, "../", 3) != 0 && strcmp(name, "..") != 0 && !strstr(name, "/../"));
    assert(got < 3 || strcmp(name + got - 3, "/..") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 1)
        return 0;
    struct span text = {(const char *)data + 1, bytes - 1};

    check_range(text, data[0] * (uint64_t)37);
    check_encoding(text, data[0] | 1);
    check_date(text);
    check_path(text);
    return 0;
}
