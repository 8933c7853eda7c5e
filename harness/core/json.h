/* JSON to write: a thin cover of jansson, so that one file knows that library.
 *
 * Objects and arrays are made, filled and written; giving one to another hands it over. Where memory
 * ends, values are NULL, every function takes that, and writing says so. */
#ifndef XB_CORE_JSON_H
#define XB_CORE_JSON_H

#include "../base/reason.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct xb_json; /* jansson's json_t */

struct xb_json *xb_json_object(void);
struct xb_json *xb_json_array(void);
struct xb_json *xb_json_real(double value); /* NULL where JSON cannot hold it */
struct xb_json *xb_json_null(void);
struct xb_json *xb_json_text(const char *text); /* bytes that are not UTF-8 become '?' */
void xb_json_free(struct xb_json *value);       /* accepts NULL */

/* Put a member into an object, or replace it. Absent is left out: NULL or "" as text, XB_ABSENT as
 * count, and numbers that JSON cannot hold (NaN, infinity). Counts above 2^63-1 become reals. */
void xb_json_put_text(struct xb_json *object, const char *key, const char *text);
void xb_json_put_count(struct xb_json *object, const char *key, uint64_t count);
void xb_json_put_real(struct xb_json *object, const char *key, double value);
void xb_json_put_bool(struct xb_json *object, const char *key, bool value);
void xb_json_put(struct xb_json *object, const char *key, struct xb_json *value);
void xb_json_append(struct xb_json *array, struct xb_json *value);

bool xb_json_has(const struct xb_json *object, const char *key);
bool xb_json_is_empty(const struct xb_json *value);

/* Writes it with a line end, members in the order they were put, and frees it. 0; -ENOMEM, -EIO. */
int xb_json_write(FILE *out, struct xb_json *value, struct xb_reason *why);

/* Whether a text is JSON as RFC 8259 has it, without doubles among keys; for tests. */
bool xb_json_valid(const char *text, size_t bytes);

#endif
