/* SPDX-License-Identifier: MIT */
/* handover_check.c - what is believed of a message of handover.h. */
#include "worker/handover.h"

#include <string.h>

static bool is_client(const struct conn_client *c)
{
    return c->proxied <= 1 && c->trusted <= 1 &&
           (c->family == 0 || c->family == 4 || c->family == 6);
}

bool handover_check(const void *data, size_t bytes, size_t fds, struct handover_head *ret_head,
                    const char **ret_requests)
{
    if (bytes < sizeof *ret_head)
        return false;
    memcpy(ret_head, data, sizeof *ret_head);
    if (ret_head->magic != HANDOVER_MAGIC || ret_head->count == 0 ||
        ret_head->count > HANDOVER_FDS || ret_head->count != fds ||
        ret_head->bytes != bytes - sizeof *ret_head || ret_head->bytes > HANDOVER_BYTES ||
        (ret_head->bytes > 0 && ret_head->count != 1))
        return false;
    for (uint32_t i = 0; i < ret_head->count; i++)
        if (ret_head->kind[i] > LISTENER_HYPERNOVA || !is_client(&ret_head->client[i]))
            return false;
    *ret_requests = (const char *)data + sizeof *ret_head;
    return true;
}
