/* SPDX-License-Identifier: MIT */
/* fuzz_handover.c - messages in which one worker hands connections to another. Beyond not crashing:
 * what is taken for a message lies in it, and its numbers agree. */
#include "worker/handover.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct handover_head head;
    const char *requests;

    for (size_t fds = 0; fds <= HANDOVER_FDS + 1; fds++) {
        if (!handover_check(data, bytes, fds, &head, &requests))
            continue;
        assert(head.count == fds && fds > 0 && fds <= HANDOVER_FDS);
        assert(requests + head.bytes == (const char *)data + bytes);
        assert(head.bytes == 0 || fds == 1);
    }
    return 0;
}
