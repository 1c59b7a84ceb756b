/* SPDX-License-Identifier: MIT */
/* proxy_header.c - see proxy_header.h. */
#include "worker/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define V1_BYTES_MAX 107u
#define V2_FIXED_BYTES 16u

static const char v2_mark[] = "\r\n\r\n\0\r\nQUIT\n"; /* 12 bytes */

static void set_v4(struct sockaddr_storage *to, const void *address)
{
    struct sockaddr_in *in = (struct sockaddr_in *)to;

    in->sin_family = AF_INET;
    memcpy(&in->sin_addr, address, 4);
}

static void set_v6(struct sockaddr_storage *to, const void *address)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;

    in6->sin6_family = AF_INET6;
    memcpy(&in6->sin6_addr, address, 16);
}

/* A word up to a space, NUL-terminated in buf; false: none, or too long. */
static bool take_word(const char **at, const char *end, char *buf, size_t cap_bytes)
{
    const char *stop = memchr(*at, ' ', (size_t)(end - *at));
    size_t bytes;

    if (!stop)
        stop = end;
    bytes = (size_t)(stop - *at);
    if (bytes == 0 || bytes >= cap_bytes || memchr(*at, 0, bytes))
        return false;
    memcpy(buf, *at, bytes);
    buf[bytes] = 0;
    *at = stop < end ? stop + 1 : end;
    return true;
}

static bool is_port(const char *text)
{
    unsigned value = 0;

    if (!*text || strlen(text) > 5 || (text[0] == '0' && text[1]))
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
    }
    return value <= 65535;
}

/* "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n" */
static enum proxy_header parse_v1(const char *data, size_t bytes, size_t *ret_bytes,
                                  struct sockaddr_storage *ret_address)
{
    size_t looked = bytes < V1_BYTES_MAX ? bytes : V1_BYTES_MAX;
    const char *end = memchr(data, '\n', looked);
    const char *at = data + 6;
    char word[5][46];
    unsigned char address[16];
    int family;

    if (!end)
        return bytes < V1_BYTES_MAX ? PROXY_MORE : PROXY_REFUSED;
    *ret_bytes = (size_t)(end + 1 - data);
    if (end - data < 7 || end[-1] != '\r')
        return PROXY_REFUSED;
    end--;
    if (!take_word(&at, end, word[0], sizeof word[0]))
        return PROXY_REFUSED;
    if (strcmp(word[0], "UNKNOWN") == 0)
        return PROXY_WHOLE;
    if (strcmp(word[0], "TCP4") != 0 && strcmp(word[0], "TCP6") != 0)
        return PROXY_REFUSED;
    for (int i = 1; i < 5; i++)
        if (!take_word(&at, end, word[i], sizeof word[i]))
            return PROXY_REFUSED;
    family = word[0][3] == '4' ? AF_INET : AF_INET6;
    if (at != end || end[-1] == ' ' || !is_port(word[3]) || !is_port(word[4]) ||
        inet_pton(family, word[2], address) != 1 || inet_pton(family, word[1], address) != 1)
        return PROXY_REFUSED;
    if (family == AF_INET)
        set_v4(ret_address, address);
    else
        set_v6(ret_address, address);
    return PROXY_WHOLE;
}

static enum proxy_header parse_v2(const char *data, size_t bytes, size_t *ret_bytes,
                                  struct sockaddr_storage *ret_address)
{
    const unsigned char *u = (const unsigned char *)data;
    size_t length;

    if (bytes < V2_FIXED_BYTES)
        return PROXY_MORE;
    length = (size_t)u[14] << 8 | u[15];
    if (u[12] >> 4 != 2 || (u[12] & 15) > 1 || length > PROXY_HEADER_BYTES_MAX - V2_FIXED_BYTES)
        return PROXY_REFUSED;
    if (bytes < V2_FIXED_BYTES + length)
        return PROXY_MORE;
    *ret_bytes = V2_FIXED_BYTES + length;
    if ((u[12] & 15) == 0) /* LOCAL: the proxy itself, a health check */
        return PROXY_WHOLE;
    if (u[13] >> 4 == 1) {
        if (length < 12)
            return PROXY_REFUSED;
        set_v4(ret_address, u + 16);
    } else if (u[13] >> 4 == 2) {
        if (length < 36)
            return PROXY_REFUSED;
        set_v6(ret_address, u + 16);
    } else if (u[13] >> 4 > 3) {
        return PROXY_REFUSED;
    }
    return PROXY_WHOLE;
}

enum proxy_header proxy_header_parse(const char *data, size_t bytes, size_t *ret_bytes,
                                     struct sockaddr_storage *ret_address)
{
    size_t mark = bytes < 12 ? bytes : 12;

    memset(ret_address, 0, sizeof *ret_address);
    ret_address->ss_family = AF_UNSPEC;
    if (memcmp(data, v2_mark, mark) == 0)
        return bytes < 12 ? PROXY_MORE : parse_v2(data, bytes, ret_bytes, ret_address);
    mark = bytes < 6 ? bytes : 6;
    if (memcmp(data, "PROXY ", mark) == 0)
        return bytes < 6 ? PROXY_MORE : parse_v1(data, bytes, ret_bytes, ret_address);
    return PROXY_REFUSED;
}
