/* SPDX-License-Identifier: MIT */
/* js_utf8.cc - see js_utf8.h. */
#include "worker/js_utf8.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define HIGH_BITS UINT64_C(0x8080808080808080)
#define HIGH_BITS_16 UINT64_C(0xff80ff80ff80ff80)

Utf8Buffer::~Utf8Buffer()
{
    free(data);
}

void Utf8Buffer::reserve(size_t bytes)
{
    if (bytes <= cap_bytes && data)
        return;
    free(data);
    cap_bytes = bytes < 4096 ? 4096 : bytes + bytes / 4;
    data = static_cast<char *>(malloc(cap_bytes));
    if (!data)
        abort();
}

void Utf8Buffer::trim(size_t keep_bytes)
{
    if (cap_bytes <= keep_bytes)
        return;
    free(data);
    data = nullptr;
    cap_bytes = 0;
}

static uint64_t load(const void *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

bool utf8_ascii(const uint8_t *text, size_t count)
{
    size_t i = 0;

    for (; i + 32 <= count; i += 32)
        if ((load(text + i) | load(text + i + 8) | load(text + i + 16) | load(text + i + 24)) &
            HIGH_BITS)
            return false;
    for (; i < count; i++)
        if (text[i] & 0x80)
            return false;
    return true;
}

size_t utf8_widen(uint8_t *text, size_t count)
{
    const uint8_t *from = text + count; /* moved there, the text is read ahead of what is written */
    size_t out = 0;

    memmove(text + count, text, count);
    for (size_t i = 0; i < count;) {
        uint64_t word;

        if (i + 8 <= count && !((word = load(from + i)) & HIGH_BITS)) {
            memcpy(text + out, &word, sizeof word);
            i += 8;
            out += 8;
            continue;
        }
        uint8_t c = from[i++];
        if (c & 0x80) {
            text[out++] = (uint8_t)(0xc0 | (c >> 6));
            c = (uint8_t)(0x80 | (c & 0x3f));
        }
        text[out++] = c;
    }
    return out;
}

/* One character; *ret_units: how many code units it took. Returns its bytes in c. */
static size_t encode(const uint16_t *text, size_t count, uint8_t c[4], size_t *ret_units)
{
    uint32_t code = text[0];

    *ret_units = 1;
    if (code < 0x80) {
        c[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        c[0] = (uint8_t)(0xc0 | (code >> 6));
        c[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if ((code & 0xfc00) == 0xd800 && count > 1 && (text[1] & 0xfc00) == 0xdc00) {
        code = 0x10000 + ((code & 0x3ff) << 10) + (text[1] & 0x3ff);
        *ret_units = 2;
        c[0] = (uint8_t)(0xf0 | (code >> 18));
        c[1] = (uint8_t)(0x80 | ((code >> 12) & 0x3f));
        c[2] = (uint8_t)(0x80 | ((code >> 6) & 0x3f));
        c[3] = (uint8_t)(0x80 | (code & 0x3f));
        return 4;
    }
    if ((code & 0xf800) == 0xd800)
        code = 0xfffd;
    c[0] = (uint8_t)(0xe0 | (code >> 12));
    c[1] = (uint8_t)(0x80 | ((code >> 6) & 0x3f));
    c[2] = (uint8_t)(0x80 | (code & 0x3f));
    return 3;
}

/* The stretch of ASCII at *i, by sixteens: a page with one "€" in it is two-byte all through, and nearly all
 * of it is ASCII. */
static void ascii_run(const uint16_t *text, size_t count, char *to, size_t cap_bytes, size_t *i,
                      size_t *out)
{
#if defined(__SSE2__)
    const __m128i high = _mm_set1_epi16(static_cast<short>(0xff80));

    while (*i + 16 <= count && *out + 16 <= cap_bytes) {
        __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i *>(text + *i));
        __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i *>(text + *i + 8));
        __m128i over = _mm_and_si128(_mm_or_si128(a, b), high);

        if (_mm_movemask_epi8(_mm_cmpeq_epi16(over, _mm_setzero_si128())) != 0xffff)
            return;
        _mm_storeu_si128(reinterpret_cast<__m128i *>(to + *out), _mm_packus_epi16(a, b));
        *i += 16;
        *out += 16;
    }
#else
    (void)text, (void)count, (void)to, (void)cap_bytes, (void)i, (void)out;
#endif
}

size_t utf8_from_utf16_into(const uint16_t *text, size_t count, char *to, size_t cap_bytes,
                            size_t *ret_read)
{
    size_t i = 0, out = 0;

    while (i < count) {
        uint8_t c[4];
        size_t units, bytes;

        ascii_run(text, count, to, cap_bytes, &i, &out);
        while (i + 4 <= count && out + 4 <= cap_bytes && !(load(text + i) & HIGH_BITS_16)) {
            to[out] = (char)text[i];
            to[out + 1] = (char)text[i + 1];
            to[out + 2] = (char)text[i + 2];
            to[out + 3] = (char)text[i + 3];
            i += 4;
            out += 4;
        }
        if (i == count)
            break;
        bytes = encode(text + i, count - i, c, &units);
        if (out + bytes > cap_bytes)
            break;
        memcpy(to + out, c, bytes);
        out += bytes;
        i += units;
    }
    *ret_read = i;
    return out;
}

size_t utf8_from_utf16(const uint16_t *text, size_t count, char *to)
{
    size_t read;

    return utf8_from_utf16_into(text, count, to, 3 * count, &read);
}

/* The length that a first byte asks for, and the bounds of the second; 0: never a first byte. */
static size_t sequence(uint8_t first, uint8_t *ret_low, uint8_t *ret_high)
{
    *ret_low = 0x80;
    *ret_high = 0xbf;
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    if (first < 0xe0)
        return 2;
    if (first == 0xe0)
        *ret_low = 0xa0;
    if (first == 0xed)
        *ret_high = 0x9f;
    if (first == 0xf0)
        *ret_low = 0x90;
    if (first == 0xf4)
        *ret_high = 0x8f;
    return first < 0xf0 ? 3 : 4;
}

/* Bytes of the valid sequence at the start of text, up to its length; short: cut off or wrong. */
static size_t prefix(const uint8_t *text, size_t bytes, size_t *ret_wanted)
{
    uint8_t low, high;
    size_t i = 1;

    *ret_wanted = sequence(text[0], &low, &high);
    for (; i < *ret_wanted && i < bytes; i++) {
        if (text[i] < (i == 1 ? low : 0x80) || text[i] > (i == 1 ? high : 0xbf))
            break;
    }
    return i;
}

bool utf8_valid(const uint8_t *text, size_t bytes)
{
    size_t i = 0;

    while (i < bytes) {
        size_t wanted;

        if (i + 8 <= bytes && !(load(text + i) & HIGH_BITS)) {
            i += 8;
            continue;
        }
        if (prefix(text + i, bytes - i, &wanted) != wanted)
            return false;
        i += wanted;
    }
    return true;
}

size_t utf8_open_tail(const uint8_t *text, size_t bytes)
{
    for (size_t tail = 1; tail <= 3 && tail <= bytes; tail++) {
        size_t wanted;

        if ((text[bytes - tail] & 0xc0) == 0x80)
            continue;
        return prefix(text + bytes - tail, tail, &wanted) == tail && wanted > tail ? tail : 0;
    }
    return 0;
}
