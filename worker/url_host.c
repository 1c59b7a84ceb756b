/* SPDX-License-Identifier: MIT */
/*
 * url_host.c - hosts (URL Standard, section 3): domains by ICU's UTS 46, IPv4 and IPv6 addresses, opaque
 * hosts. A domain of plain lower-case ASCII never reaches ICU.
 */
#include "worker/url_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <unicode/uidna.h>

#define PIECES 8
#define IPV4_PARTS 4

/*
 * Section 3.1: 1 forbidden in hosts, 2 in domains. As of July 2021, as are the vectors that we are held to
 * (polyfills/README.md, "Conformance"): domains may hold other control characters. fetch() goes to none of them.
 */
static const uint8_t forbidden[256] = {
    [0x00] = 3, ['\t'] = 3, ['\n'] = 3, ['\r'] = 3, [' '] = 3, ['#'] = 3,
    ['/'] = 3,  [':'] = 3,  ['<'] = 3,  ['>'] = 3,  ['?'] = 3, ['@'] = 3,
    ['['] = 3,  ['\\'] = 3, [']'] = 3,  ['^'] = 3,  ['|'] = 3, ['%'] = 2,
};

static bool holds_forbidden(const char *text, size_t bytes, uint8_t kind)
{
    for (size_t i = 0; i < bytes; i++)
        if (forbidden[(uint8_t)text[i]] & kind)
            return true;
    return false;
}

/* ------------------------------------------------------------------ domains */

/* CheckHyphens and VerifyDnsLength are false, transitional processing is off. */
#define IGNORED_ERRORS                                                                             \
    (UIDNA_ERROR_EMPTY_LABEL | UIDNA_ERROR_LABEL_TOO_LONG | UIDNA_ERROR_DOMAIN_NAME_TOO_LONG |     \
     UIDNA_ERROR_LEADING_HYPHEN | UIDNA_ERROR_TRAILING_HYPHEN | UIDNA_ERROR_HYPHEN_3_4)

typedef int32_t convert(const UIDNA *, const char *, int32_t, char *, int32_t, UIDNAInfo *,
                        UErrorCode *);

/* ICU's object is immutable and made once a process; NULL: it could not be. One thread: the isolate's. */
static const UIDNA *idna(void)
{
    static UIDNA *made;
    UErrorCode status = U_ZERO_ERROR;

    if (!made)
        made =
            uidna_openUTS46(UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ |
                                UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE,
                            &status);
    return made;
}

static int run_icu(convert *how, const char *text, size_t bytes, struct url_text *ret,
                   uint32_t *ret_errors)
{
    const UIDNA *with = idna();
    UErrorCode status;
    UIDNAInfo info;
    int32_t count;

    if (!with || bytes > INT32_MAX / 8)
        return -EINVAL;
    ret->bytes = 0;
    if (!url_text_room(ret, 4 * bytes + 64))
        return -ENOMEM;
    for (int i = 0; i < 2; i++) { /* the second time with what ICU asked for */
        status = U_ZERO_ERROR;
        info = (UIDNAInfo)UIDNA_INFO_INITIALIZER;
        count = how(with, text, (int32_t)bytes, ret->data, (int32_t)ret->cap_bytes, &info, &status);
        if (status != U_BUFFER_OVERFLOW_ERROR || !url_text_room(ret, (size_t)count + 1))
            break;
    }
    if (U_FAILURE(status))
        return -EINVAL;
    ret->bytes = (size_t)count;
    *ret_errors = info.errors;
    return 0;
}

/* Is it ASCII that UTS 46 would only make lower case: no label is said to be Punycode? */
static bool plain_ascii(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if ((uint8_t)text[i] >= 0x80)
            return false;
        if ((text[i] | 0x20) == 'x' && bytes - i > 3 && (text[i + 1] | 0x20) == 'n' &&
            text[i + 2] == '-' && text[i + 3] == '-' && (i == 0 || text[i - 1] == '.'))
            return false;
    }
    return true;
}

int url_domain_to_ascii(const char *text, size_t bytes, struct url_text *ret)
{
    uint32_t errors = 0;

    if (!plain_ascii(text, bytes)) {
        int result = run_icu(uidna_nameToASCII_UTF8, text, bytes, ret, &errors);
        return result ? result : (errors & ~(uint32_t)IGNORED_ERRORS) || !ret->bytes ? -EINVAL : 0;
    }
    if (!url_text_set(ret, text, bytes))
        return -ENOMEM;
    for (size_t i = 0; i < bytes; i++)
        if (ret->data[i] >= 'A' && ret->data[i] <= 'Z')
            ret->data[i] = (char)(ret->data[i] | 0x20);
    return bytes ? 0 : -EINVAL;
}

int url_domain_to_unicode(const char *text, size_t bytes, struct url_text *ret)
{
    uint32_t errors = 0;

    return run_icu(uidna_nameToUnicodeUTF8, text, bytes, ret, &errors); /* errors are no failure */
}

/* ------------------------------------------------------------------ IPv4 */

/* Section 3.5, "IPv4 number parser". False: not a number. Numbers too large become UINT64_MAX. */
static bool ipv4_number(const char *text, size_t bytes, uint64_t *ret_number)
{
    uint64_t number = 0;
    int base = 10;

    if (bytes == 0)
        return false;
    if (bytes >= 2 && text[0] == '0' && (text[1] | 0x20) == 'x') {
        base = 16;
        text += 2;
        bytes -= 2;
    } else if (bytes >= 2 && text[0] == '0') {
        base = 8;
        text++;
        bytes--;
    }
    for (size_t i = 0; i < bytes; i++) {
        int digit = url_hex(text[i]);
        if (digit < 0 || digit >= base)
            return false;
        number = number > UINT32_MAX ? UINT64_MAX : number * (uint64_t)base + (uint64_t)digit;
    }
    *ret_number = number;
    return true;
}

/* "ends in a number checker" */
static bool ends_in_number(const char *text, size_t bytes)
{
    uint64_t ignored;
    size_t start;

    if (bytes && text[bytes - 1] == '.')
        bytes--;
    for (start = bytes; start && text[start - 1] != '.'; start--)
        ;
    if (start == bytes)
        return false;
    for (size_t i = start; i < bytes && url_is_digit(text[i]); i++)
        if (i + 1 == bytes)
            return true;
    return ipv4_number(text + start, bytes - start, &ignored);
}

/*
 * "IPv4 parser", and its serializer in place. As of July 2021: what has a part that is no number, or too many
 * parts, is a domain and stays as it is. (Failure since; no name server has such names, and fetch() asks none.)
 */
static int ipv4_parse(struct url_text *host)
{
    uint64_t numbers[IPV4_PARTS], address;
    size_t count = 0, end = host->bytes;
    char text[16];

    if (end && host->data[end - 1] == '.')
        end--;
    for (size_t start = 0; start <= end;) {
        size_t stop = start;
        while (stop < end && host->data[stop] != '.')
            stop++;
        if (count == IPV4_PARTS || !ipv4_number(host->data + start, stop - start, &numbers[count]))
            return 0;
        count++;
        start = stop + 1;
    }
    address = numbers[count - 1];
    if (address >= 1ull << (8 * (5 - count)))
        return -EINVAL;
    for (size_t i = 0; i + 1 < count; i++) {
        if (numbers[i] > 255)
            return -EINVAL;
        address += numbers[i] << (8 * (3 - i));
    }
    int bytes = snprintf(text, sizeof text, "%u.%u.%u.%u", (unsigned)(address >> 24 & 255),
                         (unsigned)(address >> 16 & 255), (unsigned)(address >> 8 & 255),
                         (unsigned)(address & 255));
    return url_text_set(host, text, (size_t)bytes) ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------------ IPv6 */

/* The dotted end of an IPv6 address into two pieces. */
static bool ipv6_ipv4(const char *at, const char *end, uint16_t *to)
{
    for (int seen = 0; seen < 4; seen++) {
        int value = -1;

        if (seen && (at == end || *at++ != '.'))
            return false;
        for (; at < end && url_is_digit(*at); at++) {
            if (value == 0)
                return false; /* a leading zero */
            value = value < 0 ? *at - '0' : value * 10 + *at - '0';
            if (value > 255)
                return false;
        }
        if (value < 0)
            return false;
        to[seen / 2] = (uint16_t)(to[seen / 2] << 8 | value);
    }
    return at == end;
}

static void ipv6_expand(uint16_t piece[static PIECES], int count, int compress)
{
    int moved = count - compress;

    memmove(piece + PIECES - moved, piece + compress, (size_t)moved * sizeof *piece);
    memset(piece + compress, 0, (size_t)(PIECES - count) * sizeof *piece);
}

/* "IPv6 parser", without the brackets. */
static bool ipv6_parse(const char *at, const char *end, uint16_t piece[static PIECES])
{
    int count = 0, compress = -1;

    memset(piece, 0, PIECES * sizeof *piece);
    if (at < end && *at == ':') {
        if (end - at < 2 || at[1] != ':')
            return false;
        at += 2;
        compress = ++count;
    }
    while (at < end) {
        const char *start = at;
        unsigned value = 0;

        if (count == PIECES)
            return false;
        if (*at == ':') {
            if (compress >= 0)
                return false;
            at++;
            compress = ++count;
            continue;
        }
        for (; at < end && at - start < 4 && url_hex(*at) >= 0; at++)
            value = value << 4 | (unsigned)url_hex(*at);
        if (at < end && *at == '.') {
            if (at == start || count > PIECES - 2 || !ipv6_ipv4(start, end, piece + count))
                return false;
            count += 2;
            break;
        }
        if (at < end && *at == ':') {
            if (++at == end)
                return false;
        } else if (at < end) {
            return false;
        }
        piece[count++] = (uint16_t)value;
    }
    if (compress >= 0 && count <= PIECES) {
        /* The piece that stands for "::" itself is counted and holds nothing. */
        ipv6_expand(piece, count, compress);
        return true;
    }
    return count == PIECES;
}

/* "IPv6 serializer", with the brackets. */
static int ipv6_serialize(const uint16_t piece[static PIECES], struct url_text *ret)
{
    int best = -1, best_count = 1;
    char text[48];
    size_t used = 0;

    for (int i = 0; i < PIECES; i++) {
        int start = i;
        while (i < PIECES && piece[i] == 0)
            i++;
        if (i - start > best_count) {
            best = start;
            best_count = i - start;
        }
    }
    text[used++] = '[';
    for (int i = 0; i < PIECES; i++) {
        if (i == best) {
            used += (size_t)snprintf(text + used, sizeof text - used, i == 0 ? "::" : ":");
            i += best_count - 1;
            continue;
        }
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 i == PIECES - 1 ? "%x" : "%x:", (unsigned)piece[i]);
    }
    text[used++] = ']';
    return url_text_set(ret, text, used) ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------------ any host */

static int domain_parse(const char *text, size_t bytes, struct url_text *ret,
                        struct url_text *scratch)
{
    int result;

    if (memchr(text, '%', bytes)) {
        scratch->bytes = 0;
        if (!url_text_decode(scratch, text, bytes))
            return -ENOMEM;
        text = scratch->data;
        bytes = scratch->bytes;
    }
    result = url_domain_to_ascii(text, bytes, ret);
    if (result)
        return result;
    if (holds_forbidden(ret->data, ret->bytes, 2))
        return -EINVAL;
    return ends_in_number(ret->data, ret->bytes) ? ipv4_parse(ret) : 0;
}

int url_host_parse(const char *text, size_t bytes, bool special, struct url_text *ret,
                   struct url_text *scratch)
{
    uint16_t piece[PIECES];

    if (bytes && text[0] == '[') {
        if (text[bytes - 1] != ']' || !ipv6_parse(text + 1, text + bytes - 1, piece))
            return -EINVAL;
        return ipv6_serialize(piece, ret);
    }
    if (special)
        return domain_parse(text, bytes, ret, scratch);
    if (holds_forbidden(text, bytes, 1))
        return -EINVAL;
    ret->bytes = 0;
    return url_text_encode(ret, text, bytes, URL_SET_C0) ? 0 : -ENOMEM;
}
