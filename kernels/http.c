/* SPDX-License-Identifier: BSD-3-Clause
 * Parses URLs and the heads of HTTP/1.1 replies. */
#include "http.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Copies `n` bytes as a string; false if they do not fit. */
static bool copy(char *to, size_t size, const char *from, size_t n)
{
    if (n >= size)
        return false;
    memcpy(to, from, n);
    to[n] = '\0';
    return true;
}

/* Reads a decimal number that fills all `n` bytes; false if it does not, or overflows. */
static bool number(const char *digits, size_t n, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < n; i++) {
        if (digits[i] < '0' || digits[i] > '9' || *value > (UINT64_MAX - 9) / 10)
            return false;
        *value = *value * 10 + (uint64_t)(digits[i] - '0');
    }
    return n > 0;
}

const char *xb_url_parse(const char *text, struct xb_url *url)
{
    if (strncasecmp(text, "https://", 8) == 0)
        return "TLS is not spoken; give an http:// URL";
    if (strncasecmp(text, "http://", 7) != 0)
        return "not a URL of the form http://host[:port]/path";
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 127)
            return "holds a space or control character; write it as %20 and the like";
    const char *start = text + 7;
    size_t n = strcspn(start, "/?#");
    const char *path = start + n;
    if (memchr(start, '@', n))
        return "user names in URLs are not supported";
    if (!copy(url->authority, sizeof url->authority, start, n))
        return "the host name is too long";

    const char *host = url->authority;
    const char *colon;
    if (*host == '[') {
        const char *end = strchr(++host, ']');
        if (!end || (end[1] && end[1] != ':'))
            return "the brackets around the IPv6 address do not match";
        n = (size_t)(end - host);
        colon = end + 1;
    } else {
        n = strcspn(host, ":");
        colon = host + n;
        if (*colon && strchr(colon + 1, ':'))
            return "write an IPv6 address in brackets, as in http://[::1]:80/";
    }
    if (n == 0)
        return "there is no host name";
    if (!copy(url->host, sizeof url->host, host, n))
        return "the host name is too long";
    const char *port = *colon && colon[1] ? colon + 1 : "80";
    uint64_t value;
    if (!number(port, strlen(port), &value) || value < 1 || value > 65535 ||
        !copy(url->port, sizeof url->port, port, strlen(port)))
        return "the port is not a number from 1 to 65535";

    /* A fragment is the client's own business and never sent: RFC 9110, 7.1. */
    n = strcspn(path, "#");
    bool rooted = *path == '/';
    url->target[0] = '/';
    if (!copy(url->target + !rooted, sizeof url->target - !rooted, path, n))
        return "the path is too long";
    if (n == 0)
        strcpy(url->target, "/");
    return NULL;
}

/* Whether a comma-separated list holds `token`, in any case. */
static bool lists(const char *list, size_t n, const char *token)
{
    size_t size = strlen(token);
    while (n) {
        size_t skip = 0;
        while (skip < n && (list[skip] == ' ' || list[skip] == '\t' || list[skip] == ','))
            skip++;
        list += skip;
        n -= skip;
        size_t word = 0;
        while (word < n && list[word] != ',' && list[word] != ' ' && list[word] != '\t')
            word++;
        if (word == size && strncasecmp(list, token, size) == 0)
            return true;
        list += word;
        n -= word;
    }
    return false;
}

static bool named(const char *name, size_t n, const char *wanted)
{
    return n == strlen(wanted) && strncasecmp(name, wanted, n) == 0;
}

const char *xb_http_parse(const char *head, size_t n, struct xb_http_head *parsed)
{
    const char *end = head + n;
    uint64_t status;
    *parsed = (struct xb_http_head){ 0 };
    if (n < 14 || memcmp(head, "HTTP/1.", 7) != 0 || head[8] != ' ' ||
        !number(head + 9, 3, &status) || status < 100 || (head[12] != ' ' && head[12] != '\r'))
        return "the reply is not HTTP/1.1; give the URL of a web server";
    parsed->status = (unsigned)status;
    if (head[7] != '1')
        return "the server speaks HTTP/1.0 and closes after each reply; use an HTTP/1.1 server";

    bool counted = false;
    const char *line = memchr(head, '\n', n);
    for (line = line ? line + 1 : end; line < end;) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        const char *stop = next ? next : end;
        const char *colon = memchr(line, ':', (size_t)(stop - line));
        if (!colon)
            return "a header line of the reply has no colon";
        const char *value = colon + 1;
        while (value < stop && (*value == ' ' || *value == '\t'))
            value++;
        while (stop > value && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r'))
            stop--;
        size_t n_name = (size_t)(colon - line);
        size_t n_value = (size_t)(stop - value);
        if (named(line, n_name, "Content-Length")) {
            uint64_t bytes;
            if (!number(value, n_value, &bytes) || (counted && bytes != parsed->body_bytes))
                return "the reply's Content-Length is not one number";
            parsed->body_bytes = bytes;
            counted = true;
        } else if (named(line, n_name, "Transfer-Encoding")) {
            return "the reply is chunked; give the URL of a static file";
        } else if (named(line, n_name, "Connection") && lists(value, n_value, "close")) {
            return "the server closes the connection after a reply; raise its keep-alive limit "
                   "(nginx: keepalive_requests)";
        }
        line = next ? next + 1 : end;
    }
    return counted ? NULL : "the reply has no Content-Length; give the URL of a static file";
}
