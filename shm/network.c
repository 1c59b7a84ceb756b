/* SPDX-License-Identifier: MIT */
/* network.c - see network.h. */
#include "shm/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

int network_parse(const char *text, struct network *ret_network)
{
    struct network n = {.family = AF_INET, .bits = 32};
    char address[INET6_ADDRSTRLEN];
    size_t bytes = strcspn(text, "/");
    unsigned bits = 0;

    if (strcmp(text, "unix") == 0) {
        *ret_network = (struct network){.family = AF_UNIX};
        return 0;
    }
    if (bytes == 0 || bytes >= sizeof address)
        return -EINVAL;
    memcpy(address, text, bytes);
    address[bytes] = '\0';
    if (inet_pton(AF_INET, address, n.address) != 1) {
        n.family = AF_INET6;
        n.bits = 128;
        if (inet_pton(AF_INET6, address, n.address) != 1)
            return -EINVAL;
    }
    if (text[bytes] == '/') {
        const char *at = text + bytes + 1;

        if (strlen(at) < 1 || strlen(at) > 3)
            return -EINVAL;
        for (; *at; at++) {
            if (*at < '0' || *at > '9')
                return -EINVAL;
            bits = bits * 10 + (unsigned)(*at - '0');
        }
        if (bits > n.bits)
            return -EINVAL;
        n.bits = (uint8_t)bits;
    }
    *ret_network = n;
    return 0;
}

static bool has(const struct network *n, const unsigned char *address)
{
    unsigned whole = n->bits / 8;
    unsigned rest = n->bits % 8;

    if (memcmp(n->address, address, whole) != 0)
        return false;
    return rest == 0 || (n->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

bool network_any(const struct network *list, size_t count, const struct sockaddr *address)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    const unsigned char *bytes = NULL;
    int family = address->sa_family;

    if (family == AF_INET) {
        bytes = (const unsigned char *)&((const struct sockaddr_in *)address)->sin_addr;
    } else if (family == AF_INET6) {
        bytes = (const unsigned char *)&((const struct sockaddr_in6 *)address)->sin6_addr;
        if (memcmp(bytes, mapped, sizeof mapped) == 0) {
            family = AF_INET;
            bytes += sizeof mapped;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (list[i].family == family && (family == AF_UNIX || (bytes && has(&list[i], bytes))))
            return true;
    return false;
}
