/* SPDX-License-Identifier: MIT */
/* fuzz_fetch_head.c - heads of answers to fetch(), and entries of fetch.allow. Beyond not crashing: of a head that
 * was taken, names and values stand in turn, and nothing else breaks a line. */
#include "shm/base.h"
#include "worker/fetch_allow.h"
#include "worker/fetch_head.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void judge(const char *text)
{
    char *item[] = {(char *)(uintptr_t)text};
    struct str_list allow = {.item = item, .count = 1};

    if (!fetch_allow_is_entry(text))
        assert(!fetch_allow_host(&allow, text, 80));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *at = (const char *)data, *end = at + bytes;
    struct fetch_bytes text = {0};
    size_t fields = 0, breaks = 0;
    bool is_end = false;
    int error = 0;

    while (at < end && !is_end && !error) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = newline ? (size_t)(newline - at) + 1 : (size_t)(end - at);

        error = fetch_head_line(&text, at, length, &is_end);
        if (!error && !is_end && length >= 5 && memcmp(at, "HTTP/", 5) == 0)
            fields = 0;
        else if (!error && !is_end && at[0] != ' ' && at[0] != '\t')
            fields++;
        at += length;
    }
    for (size_t i = 0; i < text.used && !error; i++)
        breaks += text.data[i] == '\n';
    assert(error || breaks == 2 * fields);
    fetch_bytes_free(&text);
    char *copy = strndup((const char *)data, bytes);
    if (copy)
        judge(copy);
    free(copy);
    return 0;
}
