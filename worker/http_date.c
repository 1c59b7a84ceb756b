/* SPDX-License-Identifier: MIT */
/* http_date.c - see http_date.h. Nothing here depends on the locale. */
#include "worker/http_date.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char days[] = "SunMonTueWedThuFriSat";
static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

void http_date_format(uint64_t unix_s, char ret_text[static HTTP_DATE_BYTES + 1])
{
    time_t at = (time_t)unix_s;
    struct tm tm;

    char text[64]; /* room for what the compiler can't rule out */

    (void)gmtime_r(&at, &tm);
    (void)snprintf(text, sizeof text, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                   days + 3 * (size_t)tm.tm_wday, tm.tm_mday, months + 3 * (size_t)tm.tm_mon,
                   tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    memcpy(ret_text, text, HTTP_DATE_BYTES);
    ret_text[HTTP_DATE_BYTES] = '\0';
}

/* What is left of a text that is being taken apart. */
struct rest {
    const char *at;
    const char *end;
};

static bool take_text(struct rest *r, const char *text)
{
    size_t bytes = strlen(text);

    if ((size_t)(r->end - r->at) < bytes || strncasecmp(r->at, text, bytes) != 0)
        return false;
    r->at += bytes;
    return true;
}

/* Exactly so many digits; the first may be a space where a field is padded. */
static bool take_number(struct rest *r, int digits, bool may_pad, int *ret_value)
{
    int value = 0;

    if (r->end - r->at < digits)
        return false;
    for (int i = 0; i < digits; i++) {
        char c = r->at[i];

        if (c == ' ' && i == 0 && may_pad)
            continue;
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    r->at += digits;
    *ret_value = value;
    return true;
}

static bool take_month(struct rest *r, struct tm *tm)
{
    for (int i = 0; i < 12 && r->end - r->at >= 3; i++) {
        if (strncasecmp(r->at, months + 3 * (size_t)i, 3) == 0) {
            r->at += 3;
            tm->tm_mon = i;
            return true;
        }
    }
    return false;
}

static bool take_clock(struct rest *r, struct tm *tm)
{
    return take_number(r, 2, false, &tm->tm_hour) && take_text(r, ":") &&
           take_number(r, 2, false, &tm->tm_min) && take_text(r, ":") &&
           take_number(r, 2, false, &tm->tm_sec) && tm->tm_hour < 24 && tm->tm_min < 60 &&
           tm->tm_sec <= 60;
}

/* "20 Nov 2026 08:18:09 GMT", "20-Nov-26 08:18:09 GMT" */
static bool take_with_separator(struct rest *r, const char *separator, int year_digits,
                                struct tm *tm)
{
    return take_number(r, 2, false, &tm->tm_mday) && take_text(r, separator) && take_month(r, tm) &&
           take_text(r, separator) && take_number(r, year_digits, false, &tm->tm_year) &&
           take_text(r, " ") && take_clock(r, tm) && take_text(r, " GMT");
}

/* "Nov 20 08:18:09 2026" */
static bool take_asctime(struct rest *r, struct tm *tm)
{
    return take_month(r, tm) && take_text(r, " ") && take_number(r, 2, true, &tm->tm_mday) &&
           take_text(r, " ") && take_clock(r, tm) && take_text(r, " ") &&
           take_number(r, 4, false, &tm->tm_year);
}

/* The name of the day says nothing that the date does not: any word passes. */
static void skip_letters(struct rest *r)
{
    while (r->at < r->end && (*r->at | 0x20) >= 'a' && (*r->at | 0x20) <= 'z')
        r->at++;
}

static int full_year(int two_digits, uint64_t now_s)
{
    time_t at = (time_t)now_s;
    struct tm now;
    int year;

    (void)gmtime_r(&at, &now);
    year = (now.tm_year + 1900) / 100 * 100 + two_digits;
    return year > now.tm_year + 1900 + 50 ? year - 100 : year;
}

int http_date_parse(struct span text, uint64_t now_s, uint64_t *ret_unix_s)
{
    struct rest r = {text.data, text.bytes ? text.data + text.bytes : text.data};
    struct tm tm = {0};
    const char *begin = r.at;
    time_t at;
    bool ok;

    if (text.bytes == 0) /* of a field that is not there, data is NULL */
        return -EINVAL;
    skip_letters(&r);
    if (r.at - begin < 3)
        return -EINVAL;
    if (take_text(&r, ", ")) {
        bool is_rfc850 = r.end - r.at > 2 && r.at[2] == '-';

        ok = take_with_separator(&r, is_rfc850 ? "-" : " ", is_rfc850 ? 2 : 4, &tm);
        if (ok && is_rfc850)
            tm.tm_year = full_year(tm.tm_year, now_s);
    } else {
        ok = take_text(&r, " ") && take_asctime(&r, &tm);
    }
    if (!ok || r.at != r.end || tm.tm_mday < 1 || tm.tm_mday > month_days[tm.tm_mon])
        return -EINVAL;
    tm.tm_year -= 1900;
    at = timegm(&tm);
    if (at < 0)
        return -EINVAL;
    *ret_unix_s = (uint64_t)at;
    return 0;
}
