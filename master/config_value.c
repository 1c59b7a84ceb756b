/* SPDX-License-Identifier: MIT */
/*
 * config_value.c - numbers with units, read with integers alone: a duration written is the duration
 * held, without the surprises of binary fractions. Leans on nothing but libc.
 */
#include "master/config_value.h"

#include "shm/base.h"
#include "shm/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    uint64_t worth;
};

/* Largest first: formatting takes them in this order. The bare number's unit is named apart. */
static const struct unit duration_units[] = {
    {"y", 365 * 86400 * (uint64_t)1000000},
    {"d", 86400 * (uint64_t)1000000},
    {"h", 3600 * (uint64_t)1000000},
    {"m", 60 * (uint64_t)1000000},
    {"s", 1000000},
    {"ms", 1000},
    {"us", 1},
    {NULL, 0},
};
static const struct unit size_units[] = {
    {"TiB", GIB << 10}, {"GiB", GIB}, {"MiB", MIB}, {"KiB", KIB}, {"B", 1}, {NULL, 0},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int config_value_bool(const char *text, bool *ret_value)
{
    static const char *const words[][2] = {
        {"no", "yes"}, {"No", "Yes"},     {"NO", "YES"},     {"off", "on"},     {"Off", "On"},
        {"OFF", "ON"}, {"false", "true"}, {"False", "True"}, {"FALSE", "TRUE"},
    };

    for (size_t i = 0; i < array_len(words); i++) {
        for (int value = 0; value < 2; value++) {
            if (strcmp(text, words[i][value]) == 0) {
                *ret_value = value == 1;
                return 0;
            }
        }
    }
    return -EINVAL;
}

/* Digits at *at, which is moved behind them. */
static int read_digits(const char **at, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (!is_digit(**at))
        return -EINVAL;
    for (; is_digit(**at); (*at)++) {
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(**at - '0'), &value))
            return -ERANGE;
    }
    *ret_value = value;
    return 0;
}

int config_value_count(const char *text, uint64_t *ret_value)
{
    uint64_t value;
    int rc = read_digits(&text, &value);

    if (rc == 0 && *text != '\0')
        rc = -EINVAL;
    if (rc == 0)
        *ret_value = value;
    return rc;
}

static const struct unit *find_unit(const struct unit *units, const char *name, size_t bytes)
{
    for (; units->name; units++) {
        if (strlen(units->name) == bytes && memcmp(units->name, name, bytes) == 0)
            return units;
    }
    return NULL;
}

/* whole.fraction of a unit. even: refuse what leaves a rest, else round down. */
static int scale(uint64_t whole, const char *fraction, size_t digits, uint64_t worth, bool even,
                 uint64_t *ret_value)
{
    unsigned __int128 numerator = 0;
    unsigned __int128 value = (unsigned __int128)whole * worth;
    uint64_t denominator = 1;

    for (size_t i = 0; i < digits; i++) {
        numerator = numerator * 10 + (unsigned)(fraction[i] - '0');
        denominator *= 10;
    }
    numerator *= worth; /* below 10^9 * 2^50 */
    if (even && numerator % denominator != 0)
        return -EINVAL;
    value += numerator / denominator;
    if (value > UINT64_MAX)
        return -ERANGE;
    *ret_value = (uint64_t)value;
    return 0;
}

/* One "1.5h" at *at; bare: the unit when none is written. */
static int read_piece(const char **at, const struct unit *units, const struct unit *bare, bool even,
                      uint64_t *ret_value)
{
    uint64_t whole;
    const char *fraction = "";
    size_t digits = 0;
    const char *name;
    const struct unit *unit = bare;
    int rc = read_digits(at, &whole);

    if (rc != 0)
        return rc;
    if (**at == '.') {
        fraction = ++*at;
        while (is_digit(**at))
            (*at)++;
        digits = (size_t)(*at - fraction);
        if (digits == 0 || digits > 9)
            return -EINVAL;
    }
    name = *at;
    while ((**at >= 'a' && **at <= 'z') || (**at >= 'A' && **at <= 'Z'))
        (*at)++;
    if (*at != name)
        unit = find_unit(units, name, (size_t)(*at - name));
    return unit ? scale(whole, fraction, digits, unit->worth, even, ret_value) : -EINVAL;
}

int config_value_duration(const char *text, uint64_t *ret_us)
{
    static const struct unit second = {"s", 1000000};
    uint64_t sum = 0;
    bool first = true;

    do {
        uint64_t piece;
        int rc = read_piece(&text, duration_units, &second, true, &piece);

        if (rc != 0)
            return rc;
        if (is_digit(text[-1]) && (!first || *text != '\0')) /* "1h30": thirty what? */
            return -EINVAL;
        if (__builtin_add_overflow(sum, piece, &sum))
            return -ERANGE;
        first = false;
    } while (*text != '\0');
    *ret_us = sum;
    return 0;
}

int config_value_size(const char *text, uint64_t *ret_bytes)
{
    static const struct unit byte = {"B", 1};
    uint64_t value;
    int rc = read_piece(&text, size_units, &byte, false, &value);

    if (rc == 0 && *text != '\0')
        rc = -EINVAL;
    if (rc == 0)
        *ret_bytes = value;
    return rc;
}

int config_value_fraction(const char *text, double *ret_value)
{
    size_t digits = strspn(text, "0123456789");
    size_t behind = text[digits] == '.' ? strspn(text + digits + 1, "0123456789") : 0;
    size_t bytes = digits + (text[digits] == '.' ? 1 + behind : 0);
    double value = 0;
    double place = 1;

    if (digits + behind == 0 || bytes > 32 || text[bytes] != '\0')
        return -EINVAL;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (text[i] - '0');
    /* One division at the end, so that "0.1" is the double nearest to it. */
    for (size_t i = 0; i < behind; i++) {
        value = value * 10 + (text[digits + 1 + i] - '0');
        place *= 10;
    }
    *ret_value = value / place;
    return 0;
}

bool config_value_is_token(const char *text)
{
    return *text != '\0' && strspn(text, "!#$%&'*+-.^_`|~0123456789"
                                         "abcdefghijklmnopqrstuvwxyz"
                                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(text);
}

bool config_value_is_header(const char *text)
{
    size_t bytes = strlen(text);

    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return bytes == 0 || (!strchr(" \t", text[0]) && !strchr(" \t", text[bytes - 1]));
}

/* "250ms" needs one unit, "1m30s" two; further ones follow as long as something is left. */
const char *config_value_format_us(uint64_t us, char out[static CONFIG_FORMAT_BYTES])
{
    size_t bytes = 0;

    (void)snprintf(out, CONFIG_FORMAT_BYTES, "0s");
    for (const struct unit *unit = duration_units; unit->name && us > 0; unit++) {
        uint64_t n = us / unit->worth;

        us %= unit->worth;
        if (n > 0 && bytes < CONFIG_FORMAT_BYTES)
            bytes += (size_t)snprintf(out + bytes, CONFIG_FORMAT_BYTES - bytes, "%llu%s",
                                      (unsigned long long)n, unit->name);
    }
    return out;
}

const char *config_value_format_bytes(uint64_t bytes, char out[static CONFIG_FORMAT_BYTES])
{
    const struct unit *unit = size_units;

    while (unit->worth > 1 && (bytes == 0 || bytes % unit->worth != 0))
        unit++;
    (void)snprintf(out, CONFIG_FORMAT_BYTES, "%llu%s", (unsigned long long)(bytes / unit->worth),
                   bytes == 0 || unit->worth == 1 ? "" : unit->name);
    return out;
}

const char *config_value_show(const char *text, char out[static CONFIG_SHOW_BYTES])
{
    static const char cut[] = "…";
    size_t bytes = strlen(text);
    size_t at = 0;
    size_t used = 0;

    while (at < bytes) {
        uint32_t code = 0;
        size_t taken = utf8_next(text + at, bytes - at, &code);
        bool good = taken > 0 && !utf8_is_control(code);
        size_t wanted = good ? taken : 1;

        if (used + wanted + sizeof cut > CONFIG_SHOW_BYTES) {
            memcpy(out + used, cut, sizeof cut);
            return out;
        }
        memcpy(out + used, good ? text + at : "?", wanted);
        used += wanted;
        at += taken > 0 ? taken : 1;
    }
    out[used] = '\0';
    return out;
}

#define DISTANCE_WORD_BYTES 40

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t config_value_distance(const char *a, const char *b)
{
    size_t row[3][DISTANCE_WORD_BYTES + 1]; /* the last two rows and the new one */
    size_t a_bytes = strlen(a);
    size_t b_bytes = strlen(b);

    if (a_bytes > DISTANCE_WORD_BYTES || b_bytes > DISTANCE_WORD_BYTES)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_bytes; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t *now = row[i % 3];
        const size_t *last = row[(i + 2) % 3];
        const size_t *older = row[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            now[j] =
                min_size(min_size(last[j], now[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = min_size(now[j], older[j - 2] + 1);
        }
    }
    return row[a_bytes % 3][b_bytes];
}
