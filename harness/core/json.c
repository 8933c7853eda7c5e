/* SPDX-License-Identifier: BSD-3-Clause
 * Writes JSON with jansson.
 *
 * xb-required: jansson>=2.10 (Debian: libjansson-dev) */
#include "json.h"

#include "row.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *in(struct xb_json *value)
{
    return (json_t *)value;
}

static struct xb_json *out_of(json_t *value)
{
    return (struct xb_json *)value;
}

struct xb_json *xb_json_object(void)
{
    return out_of(json_object());
}

struct xb_json *xb_json_array(void)
{
    return out_of(json_array());
}

struct xb_json *xb_json_real(double value)
{
    return isfinite(value) ? out_of(json_real(value)) : NULL;
}

void xb_json_free(struct xb_json *value)
{
    json_decref(in(value));
}

void xb_json_put(struct xb_json *object, const char *key, struct xb_json *value)
{
    json_object_set_new(in(object), key, in(value)); /* NULL: nothing; frees what it cannot put */
}

struct xb_json *xb_json_null(void)
{
    return out_of(json_null());
}

/* What others named (files, arguments, symbols) may be any bytes; JSON is UTF-8. */
struct xb_json *xb_json_text(const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return out_of(value);
    char *plain = strdup(text);
    for (char *at = plain; at && *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    value = plain ? json_string(plain) : NULL;
    free(plain);
    return out_of(value);
}

void xb_json_put_text(struct xb_json *object, const char *key, const char *text)
{
    if (text && text[0])
        xb_json_put(object, key, xb_json_text(text));
}

void xb_json_put_count(struct xb_json *object, const char *key, uint64_t count)
{
    if (count == XB_ABSENT)
        return;
    if (count > INT64_MAX)
        xb_json_put_real(object, key, (double)count);
    else
        xb_json_put(object, key, out_of(json_integer((json_int_t)count)));
}

void xb_json_put_real(struct xb_json *object, const char *key, double value)
{
    xb_json_put(object, key, xb_json_real(value));
}

void xb_json_put_bool(struct xb_json *object, const char *key, bool value)
{
    xb_json_put(object, key, out_of(json_boolean(value)));
}

void xb_json_append(struct xb_json *array, struct xb_json *value)
{
    json_array_append_new(in(array), in(value));
}

bool xb_json_has(const struct xb_json *object, const char *key)
{
    return json_object_get((const json_t *)object, key) != NULL;
}

bool xb_json_is_empty(const struct xb_json *value)
{
    return !json_object_size((const json_t *)value) && !json_array_size((const json_t *)value);
}

int xb_json_write(FILE *out, struct xb_json *value, struct xb_reason *why)
{
    /* Nine digits are what our CSV has. */
    int rc = value ? json_dumpf(in(value), out, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : -1;
    xb_json_free(value);
    if (rc != 0 || putc('\n', out) == EOF)
        return xb_because(why, -ENOMEM, "JSON could not be written: out of memory or disk");
    return 0;
}

bool xb_json_valid(const char *text, size_t bytes)
{
    json_error_t error;
    json_t *value = json_loadb(text, bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    json_decref(value);
    return value != NULL;
}
