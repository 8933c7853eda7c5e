/* SPDX-License-Identifier: BSD-3-Clause
 * Reads numbers and lists. */
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Digits into *out; *end is where they stop. */
static int read_digits(const char *text, const char **end, uint64_t *out)
{
    uint64_t value = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at); at++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return -ERANGE;
    if (at == text)
        return -EINVAL;
    *end = at;
    *out = value;
    return 0;
}

static int check(uint64_t value, uint64_t least, uint64_t most, uint64_t *out)
{
    if (value < least || value > most)
        return -ERANGE;
    *out = value;
    return 0;
}

int xb_parse_count(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    const char *end;
    uint64_t value;
    int err = read_digits(text, &end, &value);
    if (err)
        return err;
    return *end ? -EINVAL : check(value, least, most, out);
}

int xb_parse_bytes(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    static const char units[] = "KMGT";
    const char *end;
    uint64_t value;
    int err = read_digits(text, &end, &value);
    if (err)
        return err;
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (unit) {
        unsigned shift = 10 * (unsigned)(unit - units + 1);
        if (value > UINT64_MAX >> shift)
            return -ERANGE;
        value <<= shift;
        end++;
        if (strcmp(end, "iB") == 0)
            end += 2;
    }
    return *end ? -EINVAL : check(value, least, most, out);
}

int xb_parse_time(const char *text, uint64_t least_ns, uint64_t most_ns, uint64_t *out_ns)
{
    static const struct {
        const char *unit;
        uint64_t ns;
    } units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };
    const char *end;
    uint64_t whole, fraction = 0, scale = 1;
    int err = read_digits(text, &end, &whole);
    if (err)
        return err;
    if (*end == '.' && isdigit((unsigned char)end[1]))
        for (end++; isdigit((unsigned char)*end); end++)
            if (scale < 1000000000) {
                fraction = fraction * 10 + (uint64_t)(*end - '0');
                scale *= 10;
            }
    uint64_t ns = 0;
    if (!*end)
        ns = 1000000000;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].unit) == 0)
            ns = units[i].ns;
    if (!ns)
        return -EINVAL;
    uint64_t total;
    if (__builtin_mul_overflow(whole, ns, &total) ||
        __builtin_add_overflow(total, fraction * ns / scale, &total))
        return -ERANGE;
    return check(total, least_ns, most_ns, out_ns);
}

/* The mantissa and power of ten that the text says, and where they end: where they begin if there is
 * no digit; the 20th digit and those behind it count for the
 * power only. Returns whether that is all of the text's value. */
static bool read_decimal(const char *at, const char **end, uint64_t *mantissa, int *power)
{
    const char *begin = at;
    bool exact = true, any = false;
    *mantissa = 0;
    *power = 0;
    for (bool fraction = false; isdigit((unsigned char)*at) || (*at == '.' && !fraction); at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        any = true;
        if (*mantissa < 1000000000000000000u) {
            *mantissa = *mantissa * 10 + (uint64_t)(*at - '0');
            *power -= fraction;
        } else {
            exact = false;
        }
    }
    *end = any ? at : begin;
    return exact;
}

/* Digits behind an e, signed, no more than decides between 0 and out of range. */
static const char *read_exponent(const char *at, int *power)
{
    int sign = 1, value = 0;
    if (*at == '+' || *at == '-')
        sign = *at++ == '-' ? -1 : 1;
    if (!isdigit((unsigned char)*at))
        return NULL;
    for (; isdigit((unsigned char)*at); at++)
        value = value < 100000 ? value * 10 + (*at - '0') : value;
    *power += sign * value;
    return at;
}

int xb_parse_real(const char *text, double *out)
{
    static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    const char *begin = text + (*text == '-'), *end;
    uint64_t mantissa;
    int power;
    bool exact = read_decimal(begin, &end, &mantissa, &power);
    if (end == begin)
        return -EINVAL;
    if (*end == 'e' || *end == 'E')
        end = read_exponent(end + 1, &power);
    if (!end || *end)
        return -EINVAL;
    /* Both are doubles without rounding, so one operation rounds once: Clinger, PLDI 1990. */
    if (exact && mantissa < (UINT64_C(1) << 53) && power >= -22 && power <= 22) {
        double value = (double)mantissa;
        value = power < 0 ? value / tens[-power] : value * tens[power];
        *out = *text == '-' ? -value : value;
        return 0;
    }
    /* Rare: strtod knows all the rest, and must not be told of a decimal comma. */
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!plain)
        return -ENOMEM;
    *out = strtod_l(text, NULL, plain);
    freelocale(plain);
    return isinf(*out) ? -ERANGE : 0;
}

int xb_parse_list(char *text, const char **pieces, size_t room)
{
    size_t n = 0;
    for (char *save = text; save;) {
        char *piece = save, *comma = strchr(save, ',');
        save = comma ? comma + 1 : NULL;
        if (comma)
            *comma = '\0';
        while (isspace((unsigned char)*piece))
            piece++;
        char *tail = piece + strlen(piece);
        while (tail > piece && isspace((unsigned char)tail[-1]))
            *--tail = '\0';
        if (!*piece)
            return -EINVAL;
        if (n == room)
            return -E2BIG;
        pieces[n++] = piece;
    }
    return (int)n;
}
