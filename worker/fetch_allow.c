/* SPDX-License-Identifier: MIT */
/* fetch_allow.c - see fetch_allow.h. Addresses are compared as IPv6, IPv4 ones mapped. */
#include "worker/fetch_allow.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOST_BYTES_MAX 256

struct network {
    uint8_t byte[16];
    unsigned bits;
};

struct entry {
    char host[HOST_BYTES_MAX]; /* "" with a network */
    unsigned port;             /* 0: any */
    bool is_network;
    struct network network;
};

enum kind { KIND_PUBLIC, KIND_PRIVATE, KIND_LOOPBACK, KIND_SPECIAL };

static bool parse_address(const char *text, struct network *ret)
{
    uint8_t four[4];

    if (inet_pton(AF_INET6, text, ret->byte) == 1) {
        ret->bits = 128;
        return true;
    }
    if (inet_pton(AF_INET, text, four) != 1)
        return false;
    memset(ret->byte, 0, 10);
    memset(ret->byte + 10, 0xff, 2);
    memcpy(ret->byte + 12, four, 4);
    ret->bits = 128;
    return true;
}

/* A decimal number of at most max, the text's whole. */
static bool parse_number(const char *text, unsigned max, unsigned *ret)
{
    char *end = NULL;
    unsigned long value;

    if (text[0] < '0' || text[0] > '9' || strlen(text) > 5)
        return false;
    value = strtoul(text, &end, 10);
    if (*end != '\0' || value > max)
        return false;
    *ret = (unsigned)value;
    return true;
}

static bool parse_network(char *text, struct network *ret)
{
    char *slash = strchr(text, '/');
    unsigned bits = 0;
    bool is_four;

    if (slash)
        *slash = '\0';
    if (!parse_address(text, ret))
        return false;
    is_four = strchr(text, ':') == NULL;
    if (slash) {
        if (!parse_number(slash + 1, is_four ? 32 : 128, &bits))
            return false;
        ret->bits = is_four ? bits + 96 : bits;
    }
    return true;
}

static bool is_name(const char *text)
{
    if (strncmp(text, "*.", 2) == 0)
        text += 2;
    return text[0] != '\0' && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "0123456789-._") == strlen(text);
}

static bool parse_entry(const char *text, struct entry *ret)
{
    char *colon, *end;

    if (strlen(text) >= sizeof ret->host)
        return false;
    (void)snprintf(ret->host, sizeof ret->host, "%s", text);
    ret->port = 0;
    ret->is_network = false;
    if (ret->host[0] == '[') { /* [v6] or [v6]:port */
        end = strchr(ret->host, ']');
        if (!end || (end[1] != '\0' &&
                     (end[1] != ':' || !parse_number(end + 2, 65535, &ret->port) || !ret->port)))
            return false;
        *end = '\0';
        ret->is_network = parse_network(ret->host + 1, &ret->network);
        return ret->is_network;
    }
    colon = strchr(ret->host, ':');
    if (colon && !strchr(colon + 1, ':')) {
        if (!parse_number(colon + 1, 65535, &ret->port) || ret->port == 0)
            return false;
        *colon = '\0';
    }
    char copy[HOST_BYTES_MAX];
    memcpy(copy, ret->host, sizeof copy);
    ret->is_network = parse_network(copy, &ret->network);
    return ret->is_network || is_name(ret->host);
}

bool fetch_allow_is_entry(const char *text)
{
    struct entry entry;

    return parse_entry(text, &entry);
}

static bool within(const struct network *network, const uint8_t byte[static 16])
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;

    return memcmp(network->byte, byte, whole) == 0 &&
           (rest == 0 || ((network->byte[whole] ^ byte[whole]) >> (8 - rest)) == 0);
}

static bool same_name(const char *pattern, const char *host)
{
    size_t host_bytes = strlen(host), pattern_bytes = strlen(pattern);

    if (host_bytes > 0 && host[host_bytes - 1] == '.') /* the root's dot */
        host_bytes--;
    if (pattern_bytes > 0 && pattern[pattern_bytes - 1] == '.')
        pattern_bytes--;
    if (pattern_bytes > 1 && pattern[0] == '*') {
        pattern++;
        pattern_bytes--;
        if (host_bytes <= pattern_bytes)
            return false;
        host += host_bytes - pattern_bytes;
        host_bytes = pattern_bytes;
    }
    return host_bytes == pattern_bytes && strncasecmp(pattern, host, host_bytes) == 0;
}

static void bare_host(const char *host, char ret[static HOST_BYTES_MAX])
{
    size_t bytes = strlen(host);

    if (bytes >= 2 && host[0] == '[' && host[bytes - 1] == ']')
        (void)snprintf(ret, HOST_BYTES_MAX, "%.*s", (int)(bytes - 2), host + 1);
    else
        (void)snprintf(ret, HOST_BYTES_MAX, "%s", host);
}

bool fetch_allow_host(const struct str_list *allow, const char *host, unsigned port)
{
    char bare[HOST_BYTES_MAX];
    struct network address;
    struct entry entry;

    if (allow->count == 0)
        return true;
    if (strlen(host) >= sizeof bare)
        return false;
    bare_host(host, bare);
    bool is_address = parse_address(bare, &address);
    for (size_t i = 0; i < allow->count; i++) {
        if (!parse_entry(allow->item[i], &entry) || (entry.port != 0 && entry.port != port))
            continue;
        if (is_address ? entry.is_network && within(&entry.network, address.byte)
                       : !entry.is_network && same_name(entry.host, bare))
            return true;
    }
    return false;
}

/* False: of a family that is not the internet's. */
static bool bytes_of(const struct sockaddr *address, uint8_t ret[static 16])
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (address->sa_family == AF_INET) {
        memcpy(ret, mapped, sizeof mapped);
        memcpy(ret + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        return true;
    }
    if (address->sa_family != AF_INET6)
        return false;
    memcpy(ret, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    if (memcmp(ret, nat64, sizeof nat64) == 0) /* RFC 6052: what the translator will reach */
        memcpy(ret, mapped, sizeof mapped);
    return true;
}

struct range {
    const char *network;
    enum kind kind;
};

/* RFC 6890's registries, as far as they are no public addresses. */
static const struct range ranges[] = {
    {"127.0.0.0/8", KIND_LOOPBACK},   {"::1", KIND_LOOPBACK},
    {"0.0.0.0", KIND_LOOPBACK},       {"::", KIND_LOOPBACK},
    {"10.0.0.0/8", KIND_PRIVATE},     {"172.16.0.0/12", KIND_PRIVATE},
    {"192.168.0.0/16", KIND_PRIVATE}, {"100.64.0.0/10", KIND_PRIVATE},
    {"fc00::/7", KIND_PRIVATE},       {"0.0.0.0/8", KIND_SPECIAL},
    {"169.254.0.0/16", KIND_SPECIAL}, {"192.0.0.0/24", KIND_SPECIAL},
    {"198.18.0.0/15", KIND_SPECIAL},  {"224.0.0.0/3", KIND_SPECIAL},
    {"fe80::/10", KIND_SPECIAL},      {"fec0::/10", KIND_SPECIAL},
    {"ff00::/8", KIND_SPECIAL},       {"64:ff9b:1::/48", KIND_SPECIAL},
    {"2002::/16", KIND_SPECIAL},      {"2001::/32", KIND_SPECIAL},
    {"::/96", KIND_SPECIAL},
};

static enum kind kind_of(const uint8_t byte[static 16])
{
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        char text[32];
        struct network network;

        (void)snprintf(text, sizeof text, "%s", ranges[i].network);
        if (parse_network(text, &network) && within(&network, byte))
            return ranges[i].kind;
    }
    return KIND_PUBLIC;
}

static bool is_localhost(const char *name)
{
    return same_name("localhost", name) || same_name("*.localhost", name);
}

/* Names that public DNS does not hold: RFC 6762, 8375, 6761, ICANN's .internal. */
static bool is_private_name(const char *name)
{
    static const char *const ends[] = {"*.internal", "*.local", "*.lan", "*.home.arpa", "*.test"};

    if (!strchr(name, '.'))
        return !is_localhost(name);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (same_name(ends[i], name))
            return true;
    return false;
}

bool fetch_allow_address(const struct str_list *allow, const char *host, unsigned port,
                         const struct sockaddr *address)
{
    uint8_t byte[16];
    struct entry entry;
    struct network literal;
    char bare[HOST_BYTES_MAX];

    if (allow->count == 0)
        return true;
    if (!bytes_of(address, byte))
        return false;
    for (size_t i = 0; i < allow->count; i++)
        if (parse_entry(allow->item[i], &entry) && entry.is_network &&
            (entry.port == 0 || entry.port == port) && within(&entry.network, byte))
            return true;
    bare_host(host, bare);
    if (parse_address(bare, &literal))
        return false; /* judged above, and nothing but a name vouches for what is not listed */
    switch (kind_of(byte)) {
    case KIND_PUBLIC:
        return true;
    case KIND_PRIVATE:
        return is_private_name(bare);
    case KIND_LOOPBACK:
        return is_localhost(bare);
    case KIND_SPECIAL:
        break;
    }
    return false;
}

bool fetch_address_is_loopback(const struct sockaddr *address)
{
    uint8_t byte[16];

    return bytes_of(address, byte) && kind_of(byte) == KIND_LOOPBACK;
}

bool fetch_host_is_loopback(const char *host)
{
    char text[HOST_BYTES_MAX];
    struct network address;
    size_t bytes = strlen(host);

    if (same_name("localhost", host))
        return true;
    if (bytes >= sizeof text)
        return false;
    if (bytes > 2 && host[0] == '[' && host[bytes - 1] == ']') {
        host++;
        bytes -= 2;
    }
    memcpy(text, host, bytes);
    text[bytes] = '\0';
    return parse_address(text, &address) && kind_of(address.byte) == KIND_LOOPBACK;
}
