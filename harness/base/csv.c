/* SPDX-License-Identifier: BSD-3-Clause
 * Cuts CSV into records and fields, in place, in one buffer that is filled again and again. */
#include "csv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_BYTES = 1 << 16 };

/* How many characters of the user's text a message repeats. */
#define SHOWN "%.40s"

/* Messages have to hold more than the path: of a long one its end. */
static const char *short_path(const char *path)
{
    enum { MOST = 100 };
    size_t length = strlen(path);
    return length > MOST ? path + length - MOST : path;
}

static int fault(const struct xb_csv *csv, struct xb_reason *why, const char *what)
{
    return xb_because(why, -EBADMSG, "%s:%llu: %s", csv->path, (unsigned long long)csv->line, what);
}

int xb_csv_fault(const struct xb_csv *csv, size_t column, struct xb_reason *why, const char *format,
                 ...)
{
    char what[XB_REASON_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return xb_because(why, -EBADMSG, "%s:%llu: column " SHOWN ": %s", csv->path,
                      (unsigned long long)csv->line,
                      column < csv->columns ? csv->name[column] : "?", what);
}

/* ---- bytes ---- */

/* Moves what is not cut yet to the front and reads on. 1 when there is more than before, 0 at the
 * end, or -errno. */
static int refill(struct xb_csv *csv, struct xb_reason *why)
{
    if (csv->ended)
        return 0;
    memmove(csv->buffer, csv->buffer + csv->at, csv->have - csv->at);
    csv->have -= csv->at;
    csv->at = 0;
    if (csv->have == csv->room) {
        if (csv->room >= XB_CSV_RECORD_BYTES)
            return fault(csv, why, "a line of more than 1 MiB; this is no file of xbound's");
        char *bigger = realloc(csv->buffer, 2 * csv->room + 1);
        if (!bigger)
            return xb_because(why, -ENOMEM, "%s: out of memory", csv->path);
        csv->buffer = bigger;
        csv->room *= 2;
    }
    size_t n = fread(csv->buffer + csv->have, 1, csv->room - csv->have, csv->in);
    csv->have += n;
    csv->ended = n == 0;
    if (n == 0 && ferror(csv->in))
        return xb_because(why, -EIO, "%s: %s", csv->path, strerror(errno ? errno : EIO));
    return n > 0;
}

/* ---- fields ---- */

/* The first byte at or behind `at` that no UTF-8 text has, or NULL. RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF. */
static const unsigned char *find_not_utf8(const unsigned char *at)
{
    while (*at) {
        if (*at < 0x80) {
            at++;
            continue;
        }
        int more = *at >= 0xF0 ? 3 : *at >= 0xE0 ? 2 : 1;
        uint32_t code = *at & (0x3Fu >> more);
        if (*at < 0xC2 || *at > 0xF4)
            return at;
        for (int i = 1; i <= more; i++) {
            if ((at[i] & 0xC0) != 0x80)
                return at;
            code = code << 6 | (at[i] & 0x3Fu);
        }
        if ((more == 2 && code < 0x800) || (more == 3 && (code < 0x10000 || code > 0x10FFFF)) ||
            (code >= 0xD800 && code < 0xE000))
            return at;
        at += more + 1;
    }
    return NULL;
}

/* Where an unquoted field ends, or what it must not hold. A table, as comparing byte by byte would be
 * half of the time that reading takes. */
#define EIGHT(n)                                                                                \
    [n] = true, [n + 1] = true, [n + 2] = true, [n + 3] = true, [n + 4] = true, [n + 5] = true, \
    [n + 6] = true, [n + 7] = true
static const bool is_stop[256] = {
    EIGHT(0), EIGHT(8), EIGHT(16), EIGHT(24), ['"'] = true, [','] = true, [0x7F] = true
};

enum cut { CUT, NEED_MORE, BROKEN };

/* A cursor over the buffer; [at, end), and a 0 at end. */
struct cursor {
    char *at, *end;
    uint64_t lines; /* ends of lines passed */
    bool high;      /* a byte above 0x7F was passed */
    const char *what;
};

static enum cut broken(struct cursor *cursor, const char *what)
{
    cursor->what = what;
    return BROKEN;
}

/* Passes a quoted field; `*to` is where the text ends, quotes undone. */
static enum cut cut_quoted(struct cursor *cursor, char **to)
{
    char *out = cursor->at, *at = cursor->at + 1;
    for (;; at++) {
        if (at == cursor->end)
            return NEED_MORE;
        if (*at == '"') {
            if (at + 1 == cursor->end)
                return NEED_MORE;
            if (at[1] != '"')
                break;
            at++;
        } else if (*at == '\n') {
            cursor->lines++;
        } else if (((unsigned char)*at < 0x20 && *at != '\t' && *at != '\r') || *at == 0x7F) {
            return broken(cursor, "a control character");
        }
        cursor->high |= (unsigned char)*at >= 0x80;
        *out++ = *at;
    }
    cursor->at = at + 1;
    *to = out;
    return CUT;
}

static enum cut cut_plain(struct cursor *cursor, char **to)
{
    char *at = cursor->at;
    unsigned char bits = 0;
    for (; !is_stop[(unsigned char)*at]; at++)
        bits |= (unsigned char)*at;
    cursor->high |= bits >= 0x80;
    if (at == cursor->end)
        return NEED_MORE;
    cursor->at = *to = at;
    return CUT;
}

/* What stands behind a field: ',' or '\n', with the cursor behind it. */
static enum cut cut_end(struct cursor *cursor, char *end)
{
    if (cursor->at == cursor->end)
        return NEED_MORE;
    if (*cursor->at == '\r') {
        if (cursor->at + 1 == cursor->end)
            return NEED_MORE;
        if (cursor->at[1] != '\n')
            return broken(cursor, "a carriage return within a line");
        cursor->at++;
    }
    *end = *cursor->at;
    if (*end == '"')
        return broken(cursor, "a quote within a field, or text behind a quoted one");
    if (*end != ',' && *end != '\n')
        return broken(cursor, *end == '\0' || (unsigned char)*end < 0x20 || *end == 0x7F
                                  ? "a control character"
                                  : "text behind a quoted field");
    cursor->at++;
    return CUT;
}

/* Finds out whether the record that begins at the cursor is whole, so that only a whole one is
 * changed by cutting it. Within quotes a line end ends nothing. */
static bool is_whole(const char *at, const char *end)
{
    const char *line_end = memchr(at, '\n', (size_t)(end - at));
    if (!line_end)
        return false;
    if (!memchr(at, '"', (size_t)(line_end - at)))
        return true;
    bool quoted = false;
    for (; at < end; at++) {
        if (*at == '"')
            quoted = !quoted;
        else if (*at == '\n' && !quoted)
            return true;
    }
    return false;
}

static enum cut cut_record(struct xb_csv *csv, struct cursor *cursor)
{
    for (csv->fields = 0;;) {
        char *begin = cursor->at, *to = NULL, end = '\0';
        if (csv->fields == XB_CSV_FIELDS)
            return broken(cursor, "more than 256 columns; this is no file of xbound's");
        csv->field[csv->fields++] = begin;
        enum cut cut = *begin == '"' ? cut_quoted(cursor, &to) : cut_plain(cursor, &to);
        if (cut == CUT)
            cut = cut_end(cursor, &end);
        if (cut != CUT)
            return cut;
        *to = '\0';
        if (end == '\n') {
            cursor->lines++;
            return CUT;
        }
    }
}

static int check_text(const struct xb_csv *csv, struct xb_reason *why)
{
    for (size_t i = 0; i < csv->fields; i++) {
        const unsigned char *bad = find_not_utf8((const unsigned char *)csv->field[i]);
        if (bad)
            return xb_csv_fault(csv, i, why, "byte 0x%02x is not UTF-8", *bad);
    }
    return 0;
}

static int read_record(struct xb_csv *csv, struct xb_reason *why)
{
    csv->line = csv->next_line;
    while (!is_whole(csv->buffer + csv->at, csv->buffer + csv->have)) {
        int more = refill(csv, why);
        if (more < 0)
            return more;
        if (more)
            continue;
        if (csv->at == csv->have)
            return 0;
        return fault(csv, why,
                     "the last line is not whole: the file is cut off, or a quote is open");
    }
    csv->buffer[csv->have] = '\0';
    struct cursor cursor = { .at = csv->buffer + csv->at, .end = csv->buffer + csv->have };
    enum cut cut = cut_record(csv, &cursor);
    if (cut != CUT) /* a whole record cannot end early but by a stray quote */
        return fault(csv, why, cut == BROKEN ? cursor.what : "a stray quote");
    csv->at = (size_t)(cursor.at - csv->buffer);
    csv->next_line = csv->line + cursor.lines;
    return cursor.high && check_text(csv, why) != 0 ? -EBADMSG : 1;
}

/* ---- files ---- */

static int read_header(struct xb_csv *csv, struct xb_reason *why)
{
    while (csv->have < 3) {
        int more = refill(csv, why);
        if (more < 0)
            return more;
        if (!more)
            break;
    }
    if (csv->have >= 3 && memcmp(csv->buffer, "\357\273\277", 3) == 0)
        csv->at = 3;
    int err = read_record(csv, why);
    if (err == 0)
        return xb_because(why, -EBADMSG, "%s: the file is empty", csv->path);
    if (err < 0)
        return err;
    size_t bytes = 0;
    for (size_t i = 0; i < csv->fields; i++)
        bytes += strlen(csv->field[i]) + 1;
    csv->names = malloc(bytes);
    if (!csv->names)
        return xb_because(why, -ENOMEM, "%s: out of memory", csv->path);
    char *to = csv->names;
    for (csv->columns = 0; csv->columns < csv->fields; csv->columns++) {
        const char *name = csv->field[csv->columns];
        if (!name[0])
            return xb_because(why, -EBADMSG, "%s:1: column %zu has no name", csv->path,
                              csv->columns + 1);
        if (xb_csv_find(csv, name) >= 0)
            return xb_because(why, -EBADMSG, "%s:1: column " SHOWN ": there twice", csv->path,
                              name);
        csv->name[csv->columns] = to;
        to = stpcpy(to, name) + 1;
    }
    return 0;
}

int xb_csv_attach(struct xb_csv *csv, FILE *in, const char *path, struct xb_reason *why)
{
    *csv =
        (struct xb_csv){ .path = short_path(path), .in = in, .room = FIRST_BYTES, .next_line = 1 };
    csv->buffer = malloc(csv->room + 1);
    if (!csv->buffer)
        return xb_because(why, -ENOMEM, "%s: out of memory", csv->path);
    setvbuf(in, NULL, _IONBF, 0); /* the buffer here is enough */
    return read_header(csv, why);
}

int xb_csv_open(struct xb_csv *csv, const char *path, struct xb_reason *why)
{
    *csv = (struct xb_csv){ .path = short_path(path) };
    /* O_NONBLOCK: a FIFO that nobody writes to would hold us here. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return xb_because(why, -errno, "%s: %s", csv->path, strerror(errno));
    struct stat status;
    FILE *in = NULL;
    if (fstat(fd, &status) == 0 && !S_ISREG(status.st_mode)) {
        close(fd);
        return xb_because(why, -EINVAL, "%s: not a regular file", csv->path);
    }
    in = fdopen(fd, "r");
    if (!in) {
        close(fd);
        return xb_because(why, -ENOMEM, "%s: out of memory", csv->path);
    }
    return xb_csv_attach(csv, in, path, why);
}

void xb_csv_close(struct xb_csv *csv)
{
    if (csv->in)
        fclose(csv->in);
    free(csv->buffer);
    free(csv->names);
    *csv = (struct xb_csv){ 0 };
}

int xb_csv_next(struct xb_csv *csv, struct xb_reason *why)
{
    int one = read_record(csv, why);
    if (one == 1 && csv->fields != csv->columns)
        return xb_because(why, -EBADMSG, "%s:%llu: %zu fields, but the header has %zu", csv->path,
                          (unsigned long long)csv->line, csv->fields, csv->columns);
    return one;
}

int xb_csv_find(const struct xb_csv *csv, const char *name)
{
    for (size_t i = 0; i < csv->columns; i++)
        if (strcmp(csv->name[i], name) == 0)
            return (int)i;
    return -1;
}

int xb_csv_need(const struct xb_csv *csv, const char *const *names, size_t n, const char *file,
                size_t *at, struct xb_reason *why)
{
    for (size_t i = 0; i < n; i++) {
        int found = xb_csv_find(csv, names[i]);
        if (found < 0)
            return xb_because(why, -EBADMSG, "%s:1: no column %s; this is no %s", csv->path,
                              names[i], file);
        if (at)
            at[i] = (size_t)found;
    }
    return 0;
}
