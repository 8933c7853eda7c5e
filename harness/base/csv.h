/* Reads RFC 4180 CSV record by record, in little memory however long the file is.
 *
 * Strict, as what is read decides a verdict: every record has as many fields as the header, the last
 * one is ended, text is UTF-8 without control characters. Line ends are LF or CRLF, and a byte order
 * mark is passed over, since spreadsheets write them. */
#ifndef XB_BASE_CSV_H
#define XB_BASE_CSV_H

#include "reason.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    XB_CSV_FIELDS = 256,          /* in a record at most */
    XB_CSV_RECORD_BYTES = 1 << 20 /* of a record at most */
};

struct xb_csv {
    const char *path;                 /* for messages; the caller's */
    FILE *in;                         /* no more than a source of bytes: read in large pieces */
    char *buffer;                     /* with room for one byte behind what it holds */
    size_t at, have, room;            /* the next record begins at `at`; bytes held; their room */
    uint64_t line, next_line;         /* 1-based: where the current record begins, and the next */
    size_t columns, fields;           /* of the header; of the current record */
    char *names;                      /* the header's record */
    const char *name[XB_CSV_FIELDS];  /* the columns */
    const char *field[XB_CSV_FIELDS]; /* of the current record, 0-terminated; until the next call */
    int ended;                        /* there is nothing behind the buffer */
};

/* Opens a regular file and reads its header; column names are neither empty nor there twice. `csv`
 * need not be cleared; close it in any case. `path` must outlive it. 0, or -errno with `why`:
 * -EBADMSG where it is no CSV. */
int xb_csv_open(struct xb_csv *csv, const char *path, struct xb_reason *why);

/* The same over a stream, which the reader closes; `path` names it in messages. */
int xb_csv_attach(struct xb_csv *csv, FILE *in, const char *path, struct xb_reason *why);

void xb_csv_close(struct xb_csv *csv);

/* Goes to the next record. 1; 0 behind the last; or -errno with `why`, which names file and line. */
int xb_csv_next(struct xb_csv *csv, struct xb_reason *why);

/* Index of the column of that name, or -1. */
int xb_csv_find(const struct xb_csv *csv, const char *name);

/* Finds columns that there have to be: the index of names[i] goes to at[i]; `at` may be NULL. 0, or
 * -EBADMSG with `why`, which ends in "this is no `file`". */
int xb_csv_need(const struct xb_csv *csv, const char *const *names, size_t n, const char *file,
                size_t *at, struct xb_reason *why);

/* Says "path:line: column NAME: ..." and returns -EBADMSG. */
int xb_csv_fault(const struct xb_csv *csv, size_t column, struct xb_reason *why, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));

#endif
