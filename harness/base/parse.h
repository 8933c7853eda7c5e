/* Reading numbers, sizes, times and lists that people type. Strict: trailing rubbish, overflow and
 * values out of range are errors, never a silent default. Independent of the locale. */
#ifndef XB_BASE_PARSE_H
#define XB_BASE_PARSE_H

#include <stddef.h>
#include <stdint.h>

/* A whole number in [least, most]. 0 or -EINVAL, -ERANGE. */
int xb_parse_count(const char *text, uint64_t least, uint64_t most, uint64_t *out);

/* Bytes: a whole number with an optional K, M, G or T, which are powers of 1024; also KiB and so
 * on. 0 or -EINVAL, -ERANGE. */
int xb_parse_bytes(const char *text, uint64_t least, uint64_t most, uint64_t *out);

/* A time as ns: a decimal number with ns, us, ms or s behind it; seconds when none is there.
 * 0 or -EINVAL, -ERANGE. */
int xb_parse_time(const char *text, uint64_t least_ns, uint64_t most_ns, uint64_t *out_ns);

/* A decimal number as printf's %g writes it: digits, a point, an exponent, a minus before it. No
 * blanks, no hexadecimal, no infinity, no NaN. Rounded correctly. 0 or -EINVAL; -ERANGE beyond what a
 * double holds. */
int xb_parse_real(const char *text, double *out);

/* Cuts `text` at commas, in place; each element without blanks around it. Returns how many, or
 * -E2BIG for more than `room`, -EINVAL for an empty one. The pieces point into `text`. */
int xb_parse_list(char *text, const char **pieces, size_t room);

#endif
