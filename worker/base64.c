/* SPDX-License-Identifier: MIT */
/*
 * base64.c - see base64.h. Twelve bits become two characters by one look-up, and a character six bits already in their
 * place, so that four are joined by three ORs. Where the CPU has AVX, sixteen characters go at a time (W. Mula, D.
 * Lemire: Faster Base64 Encoding and Decoding using AVX2 Instructions, 2018, sections 3 and 4). SSSE3 would do, but its encoding
 * of the same instructions keeps the upper halves of the registers, and waits for them where some library has left them in use.
 */
#include "worker/base64.h"

#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#define NONE UINT32_MAX

/* Made once: 12 KiB that would be noise in a source file. One thread: the isolate's. */
static struct {
    bool made;
    char pair[4096][2];
    uint32_t bits[4][256]; /* of the n-th of four characters; NONE: of none */
} table;

static void make_table(void)
{
    for (unsigned i = 0; i < 4096; i++) {
        table.pair[i][0] = alphabet[i >> 6];
        table.pair[i][1] = alphabet[i & 63];
    }
    memset(table.bits, 0xff, sizeof table.bits);
    for (unsigned place = 0; place < 4; place++)
        for (unsigned i = 0; i < 64; i++)
            table.bits[place][(uint8_t)alphabet[i]] = i << (6 * (3 - place));
    table.made = true;
}

#ifdef __x86_64__

/* Twelve bytes a step, and sixteen must be readable. Returns how many were taken. */
__attribute__((target("avx"))) static size_t encode_wide(const uint8_t *from, size_t bytes,
                                                         char *to)
{
    const __m128i spread = _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
    const __m128i offsets =
        _mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                      '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
    size_t i = 0;

    for (; bytes - i >= 16; i += 12, to += 16) {
        __m128i in = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(from + i)), spread);
        /* Each 32 bits hold b a c b of three bytes; the four sixes move to the low end of a byte each. */
        __m128i high = _mm_mulhi_epu16(_mm_and_si128(in, _mm_set1_epi32(0x0fc0fc00)),
                                       _mm_set1_epi32(0x04000040));
        __m128i low = _mm_mullo_epi16(_mm_and_si128(in, _mm_set1_epi32(0x003f03f0)),
                                      _mm_set1_epi32(0x01000010));
        __m128i six = _mm_or_si128(high, low);
        /* 0 for 26 to 51, 1 to 12 for what is above, 13 for what is below: an index into offsets. */
        __m128i kind =
            _mm_or_si128(_mm_subs_epu8(six, _mm_set1_epi8(51)),
                         _mm_and_si128(_mm_cmpgt_epi8(_mm_set1_epi8(26), six), _mm_set1_epi8(13)));
        _mm_storeu_si128((__m128i *)to, _mm_add_epi8(six, _mm_shuffle_epi8(offsets, kind)));
    }
    return i;
}

/* Sixteen characters a step, while all are of the alphabet; what is written is behind what is read. */
__attribute__((target("avx"))) static size_t decode_wide(uint8_t *text, size_t bytes)
{
    /* A character is of the alphabet if the bits of its two halves have none in common. */
    const __m128i of_low = _mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                         0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a);
    const __m128i of_high = _mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10,
                                          0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
    const __m128i rolls = _mm_setr_epi8(0, 63 - '/', 62 - '+', 52 - '0', -'A', -'A', 26 - 'a',
                                        26 - 'a', 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128i pack = _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    const __m128i half = _mm_set1_epi8(0x0f);
    size_t i = 0;

    for (; bytes - i >= 16; i += 16) {
        __m128i in = _mm_loadu_si128((const __m128i *)(text + i));
        __m128i upper = _mm_and_si128(_mm_srli_epi32(in, 4), half);
        __m128i clash = _mm_and_si128(_mm_shuffle_epi8(of_low, _mm_and_si128(in, half)),
                                      _mm_shuffle_epi8(of_high, upper));
        if (_mm_movemask_epi8(_mm_cmpeq_epi8(clash, _mm_setzero_si128())) != 0xffff)
            break;
        __m128i slash = _mm_cmpeq_epi8(in, _mm_set1_epi8('/'));
        __m128i six = _mm_add_epi8(in, _mm_shuffle_epi8(rolls, _mm_add_epi8(slash, upper)));
        __m128i twelve = _mm_maddubs_epi16(six, _mm_set1_epi32(0x01400140));
        __m128i bits = _mm_madd_epi16(twelve, _mm_set1_epi32(0x00011000));
        _mm_storeu_si128((__m128i *)(text + i / 4 * 3), _mm_shuffle_epi8(bits, pack));
    }
    return i;
}

static bool has_wide(void)
{
    return __builtin_cpu_supports("avx");
}

#else

static size_t encode_wide(const uint8_t *from, size_t bytes, char *to)
{
    return 0;
}

static size_t decode_wide(uint8_t *text, size_t bytes)
{
    return 0;
}

static bool has_wide(void)
{
    return false;
}

#endif

size_t base64_write(const uint8_t *from, size_t bytes, char *to)
{
    size_t i = 0;
    char *at = to;

    if (!table.made)
        make_table();
    if (has_wide())
        i = encode_wide(from, bytes, to);
    at += i / 3 * 4;
    for (; i + 3 <= bytes; i += 3, at += 4) {
        uint32_t bits = (uint32_t)from[i] << 16 | (uint32_t)from[i + 1] << 8 | from[i + 2];
        memcpy(at, table.pair[bits >> 12], 2);
        memcpy(at + 2, table.pair[bits & 4095], 2);
    }
    if (i < bytes) {
        uint32_t bits = (uint32_t)from[i] << 16 | (i + 1 < bytes ? (uint32_t)from[i + 1] << 8 : 0);
        memcpy(at, table.pair[bits >> 12], 2);
        at[2] = i + 1 < bytes ? table.pair[bits & 4095][0] : '=';
        at[3] = '=';
        at += 4;
    }
    return (size_t)(at - to);
}

/* Whole groups of four from the front; returns how many characters were taken. */
static size_t decode_groups(uint8_t *text, size_t bytes)
{
    size_t i = has_wide() ? decode_wide(text, bytes) : 0;
    uint8_t *to = text + i / 4 * 3;

    for (; i + 4 <= bytes; i += 4, to += 3) {
        uint32_t a = table.bits[0][text[i]], b = table.bits[1][text[i + 1]];
        uint32_t c = table.bits[2][text[i + 2]], d = table.bits[3][text[i + 3]];
        uint32_t bits = a | b | c | d;

        if (bits == NONE)
            break;
        to[0] = (uint8_t)(bits >> 16);
        to[1] = (uint8_t)(bits >> 8);
        to[2] = (uint8_t)bits;
    }
    return i;
}

/* What is left: white space goes, padding counts at the end only. */
static bool decode_rest(uint8_t *text, size_t bytes, uint8_t *to, size_t *ret_bytes)
{
    uint32_t bits = 0;
    size_t kept = 0, out = 0, held = 0;

    for (size_t i = 0; i < bytes; i++)
        if (!memchr("\t\n\f\r ", text[i], 5))
            text[kept++] = text[i];
    if (kept % 4 == 0 && kept && text[kept - 1] == '=')
        kept -= text[kept - 2] == '=' ? 2 : 1;
    if (kept % 4 == 1)
        return false;
    for (size_t i = 0; i < kept; i++) {
        uint32_t six = table.bits[3][text[i]];
        if (six == NONE)
            return false;
        bits = bits << 6 | six;
        held += 6;
        if (held >= 8) {
            held -= 8;
            to[out++] = (uint8_t)(bits >> held);
        }
    }
    *ret_bytes = out;
    return true;
}

bool base64_read(uint8_t *text, size_t bytes, size_t *ret_bytes)
{
    size_t taken, rest_bytes = 0;

    if (!table.made)
        make_table();
    taken = decode_groups(text, bytes);
    if (!decode_rest(text + taken, bytes - taken, text + taken / 4 * 3, &rest_bytes))
        return false;
    *ret_bytes = taken / 4 * 3 + rest_bytes;
    return true;
}
