/* SPDX-License-Identifier: MIT */
/* fuzz_base64.c - text for atob: what is taken encodes to the same bytes again, and any bytes survive both ways. */
#include "worker/base64.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void there_and_back(const uint8_t *data, size_t bytes)
{
    char *text = malloc(base64_room(bytes) + 1);
    size_t back = 0;

    assert(text && base64_write(data, bytes, text) == base64_room(bytes));
    assert(base64_read((uint8_t *)text, base64_room(bytes), &back));
    assert(back == bytes && memcmp(text, data, bytes) == 0);
    /* Three bytes at a time, which takes the other way through base64.c than many do. */
    for (size_t i = 0; i + 3 <= bytes; i += 3) {
        char four[4];
        assert(base64_write(data + i, 3, four) == 4);
        base64_write(data, bytes, text);
        assert(memcmp(four, text + i / 3 * 4, 4) == 0);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t *text = malloc(bytes + 1);
    size_t count = 0;

    assert(text);
    memcpy(text, data, bytes);
    if (base64_read(text, bytes, &count)) {
        assert(count <= bytes / 4 * 3 + 2);
        there_and_back(text, count);
    }
    there_and_back(data, bytes);
    free(text);
    return 0;
}
