/* Why something is unavailable or failed: a code for programs, a clause for people. */
#ifndef XB_BASE_REASON_H
#define XB_BASE_REASON_H

#define XB_REASON_BYTES 240

struct xb_reason {
    int code;                   /* 0 or -errno */
    char text[XB_REASON_BYTES]; /* goes verbatim into the row; "" when code is 0 */
};

/* Fills `why` (may be NULL) and returns `code`, so callers can write `return xb_because(...)`.
 * Over-long text is cut, and a control character is shown as '?': a reason is one line. Any thread. */
int xb_because(struct xb_reason *why, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
