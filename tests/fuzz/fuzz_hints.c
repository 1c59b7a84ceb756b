/* SPDX-License-Identifier: MIT */
/*
 * fuzz_hints.c - a page's Link field from any bytes. What is picked is made of pieces of it, no longer than it with the
 * commas between, and is picked whole when it is given again.
 */
#include "worker/hints.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char once[HINTS_BYTES_MAX], twice[HINTS_BYTES_MAX];
    struct reply_text first = {once, 0, sizeof once, false};
    struct reply_text second = {twice, 0, sizeof twice, false};

    hints_pick((struct span){(const char *)data, bytes}, NULL, &first);
    assert(!first.overflow && first.bytes <= bytes + bytes / 2 + 2);
    hints_pick((struct span){once, first.bytes}, NULL, &second);
    assert(second.bytes == first.bytes && memcmp(once, twice, first.bytes) == 0);
    return 0;
}
