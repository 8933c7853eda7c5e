/* What the HTTP kernel must understand of HTTP/1.1: URLs and the head of a reply.
 *
 * Written here because kernels link against libc alone; it takes the one form of reply that can
 * be measured (RFC 9112 with a Content-Length) and names what is wrong with every other. */
#ifndef XB_KERNELS_HTTP_H
#define XB_KERNELS_HTTP_H

#include <stddef.h>
#include <stdint.h>

struct xb_url {
    char authority[272]; /* host and port as written, for the Host header */
    char host[256];      /* without the brackets of an IPv6 address */
    char port[6];        /* "80" if none was written */
    char target[1024];   /* path and query, begins with '/' */
};

/* Takes an http:// URL apart.
 * Returns NULL, or a clause that says what is wrong with it. Pure. */
const char *xb_url_parse(const char *text, struct xb_url *url);

struct xb_http_head {
    unsigned status; /* 100 .. 999 */
    uint64_t body_bytes;
};

/* Parses the head of a reply.
 * `head`: `n` bytes, the status line and all header lines, each with its CR LF, without the
 * empty line that ends them.
 * `parsed`: overwritten; the status is valid even if a clause comes back, 0 if there is none.
 * Returns NULL, or a clause that says why a run cannot use this reply and what to do. A status
 * other than 200 is left to the caller. Pure. */
const char *xb_http_parse(const char *head, size_t n, struct xb_http_head *parsed);

#endif
