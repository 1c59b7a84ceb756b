/* SPDX-License-Identifier: MIT */
/* forwarded.c - see forwarded.h. */
#include "worker/forwarded.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#define ITEMS_MAX 32 /* longer chains are not believed */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
    while (s.bytes > 0 && is_blank(*s.data)) {
        s.data++;
        s.bytes--;
    }
    while (s.bytes > 0 && is_blank(s.data[s.bytes - 1]))
        s.bytes--;
    return s;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80", any of them in quotes */
static bool read_address(struct span s, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *in = (struct sockaddr_in *)ret_address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_address;
    char text[INET6_ADDRSTRLEN];
    const char *stop;

    memset(ret_address, 0, sizeof *ret_address);
    s = trim(s);
    if (s.bytes == 0)
        return false;
    if (s.bytes >= 2 && s.data[0] == '"' && s.data[s.bytes - 1] == '"')
        s = (struct span){s.data + 1, s.bytes - 2};
    if (s.bytes > 0 && *s.data == '[') {
        stop = memchr(s.data, ']', s.bytes);
        if (!stop)
            return false;
        s = (struct span){s.data + 1, (size_t)(stop - s.data - 1)};
    } else {
        stop = memchr(s.data, ':', s.bytes);
        if (stop && !memchr(stop + 1, ':', (size_t)(s.data + s.bytes - stop - 1)))
            s.bytes = (size_t)(stop - s.data); /* one colon: a port */
    }
    if (s.bytes == 0 || s.bytes >= sizeof text || memchr(s.data, 0, s.bytes))
        return false;
    memcpy(text, s.data, s.bytes);
    text[s.bytes] = '\0';
    in->sin_family = AF_INET;
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
        return true;
    in6->sin6_family = AF_INET6;
    return inet_pton(AF_INET6, text, &in6->sin6_addr) == 1;
}

/* The value of a parameter (lower case) in one element of Forwarded; data NULL: absent. */
static struct span pair_of(struct span element, const char *name)
{
    size_t name_bytes = strlen(name);
    const char *at = element.data;
    const char *end = at + element.bytes;

    while (at < end) {
        const char *stop = memchr(at, ';', (size_t)(end - at));
        struct span pair;

        if (!stop)
            stop = end;
        pair = trim((struct span){at, (size_t)(stop - at)});
        if (pair.bytes > name_bytes + 1 && pair.data[name_bytes] == '=' &&
            strncasecmp(pair.data, name, name_bytes) == 0)
            return (struct span){pair.data + name_bytes + 1, pair.bytes - name_bytes - 1};
        at = stop + 1;
    }
    return (struct span){NULL, 0};
}

/* The items of all fields of a name, in order. Returns how many; more than ITEMS_MAX: none is kept. */
static size_t items_of(const struct http_parse *head, const char *name, struct span item[ITEMS_MAX])
{
    size_t name_bytes = strlen(name);
    size_t count = 0;

    for (int i = http_parse_find(head, name, name_bytes, 0); i >= 0;
         i = http_parse_find(head, name, name_bytes, i + 1)) {
        struct span value = http_parse_value(head, i);
        const char *at = value.data;
        const char *end = at + value.bytes;

        while (at < end) {
            const char *stop = memchr(at, ',', (size_t)(end - at));

            if (!stop)
                stop = end;
            if (count == ITEMS_MAX)
                return 0;
            item[count++] = (struct span){at, (size_t)(stop - at)};
            at = stop + 1;
        }
    }
    return count;
}

/* How the proxies between us and the client have told of it. */
struct chain {
    struct span item[ITEMS_MAX];
    size_t items;
    bool standard; /* the items are elements of Forwarded */
    size_t client; /* the item that the outermost of our proxies wrote */
    bool known;    /* and the client's address stands there */
    struct sockaddr_storage address;
};

static bool has_list_of_addresses(const struct http_parse *head)
{
    return http_parse_find(head, "x-forwarded-for", 15, 0) >= 0;
}

/* False: nobody tells of a client. */
static bool follow(const struct http_parse *head, const struct network *trusted, size_t count,
                   struct chain *c)
{
    c->standard = !has_list_of_addresses(head);
    c->items = items_of(head, c->standard ? "forwarded" : "x-forwarded-for", c->item);
    c->client = c->items;
    c->known = false;
    while (c->client > 0) {
        struct span item = c->item[--c->client];

        if (!read_address(c->standard ? pair_of(item, "for") : item, &c->address))
            break;
        if (network_any(trusted, count, (struct sockaddr *)&c->address))
            continue;
        c->known = true;
        break;
    }
    return c->items > 0;
}

bool forwarded_client(const struct http_parse *head, const struct network *trusted, size_t count,
                      struct sockaddr_storage *ret_address)
{
    struct chain chain;

    if (!follow(head, trusted, count, &chain) || !chain.known)
        return false;
    *ret_address = chain.address;
    return true;
}

static struct span unquote(struct span s)
{
    s = trim(s);
    return s.bytes >= 2 && s.data[0] == '"' && s.data[s.bytes - 1] == '"'
               ? (struct span){s.data + 1, s.bytes - 2}
               : s;
}

static void take_scheme(struct http_parse *head, struct span value)
{
    value = unquote(value);
    if (value.bytes == 5 && strncasecmp(value.data, "https", 5) == 0)
        head->https = true;
    else if (value.bytes == 4 && strncasecmp(value.data, "http", 4) == 0)
        head->https = false;
}

static void take_host(struct http_parse *head, struct span value)
{
    value = unquote(value);
    if (!http_parse_is_host(value))
        return;
    head->host = (uint32_t)(value.data - head->base);
    head->host_bytes = (uint32_t)value.bytes;
}

/* The value of an X-Forwarded- field that stands as far from the end as the client; data NULL: none. */
static struct span beside_client(const struct http_parse *head, const char *name,
                                 size_t from_the_end)
{
    struct span item[ITEMS_MAX];
    size_t items = items_of(head, name, item);

    if (items == 0)
        return (struct span){NULL, 0};
    return item[items > from_the_end ? items - 1 - from_the_end : 0];
}

void forwarded_take_origin(struct http_parse *head, const struct network *trusted, size_t count)
{
    struct chain chain;
    bool told = follow(head, trusted, count, &chain);
    size_t from_the_end = told && !chain.standard ? chain.items - 1 - chain.client : 0;
    struct span scheme = beside_client(head, "x-forwarded-proto", from_the_end);
    struct span host = beside_client(head, "x-forwarded-host", from_the_end);

    /* A proxy that sets X-Forwarded-* passes on what its client says in Forwarded. */
    if (told && chain.standard && !scheme.data && !host.data) {
        scheme = pair_of(chain.item[chain.client], "proto");
        host = pair_of(chain.item[chain.client], "host");
    }
    if (scheme.data)
        take_scheme(head, scheme);
    if (host.data)
        take_host(head, host);
}

static bool is_forwarded(struct span name)
{
    return (name.bytes > 12 && strncasecmp(name.data, "x-forwarded-", 12) == 0) ||
           (name.bytes == 9 && strncasecmp(name.data, "forwarded", 9) == 0);
}

void forwarded_drop(struct http_parse *head)
{
    uint16_t kept = 0;

    for (int i = 0; i < head->field_count; i++)
        if (!is_forwarded(http_parse_name(head, i)))
            head->field[kept++] = head->field[i];
    head->field_count = kept;
}
