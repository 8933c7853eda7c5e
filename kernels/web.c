/* SPDX-License-Identifier: BSD-3-Clause
 * Resolves the user's URL, or starts a web server. */
#include "web.h"
#include "stream.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_LIMIT_S 5 /* an address that drops packets should say so soon */

struct reply {
    char *bytes;
    size_t n;
};

/* The whole server: whatever is asked, the same reply. */
static void answer(const void *context, struct xb_peer_talk *talk)
{
    const struct reply *reply = context;
    const char *end = memmem(talk->in, talk->n_in, "\r\n\r\n", 4);
    if (!end)
        return;
    talk->used = (size_t)(end - talk->in) + 4;
    talk->last = memmem(talk->in, talk->used, "Connection: close", 17) != NULL;
    talk->out = reply->bytes;
    talk->n_out = reply->n;
}

static int start_server(struct xb_web *web, const struct xb_params *params)
{
    char head[128];
    int n_head = snprintf(head, sizeof head,
                          "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                          "Content-Length: %zu\r\n\r\n",
                          params->bytes);
    struct reply reply = { .n = (size_t)n_head + params->bytes };
    reply.bytes = malloc(reply.n);
    if (!reply.bytes)
        return -ENOMEM;
    memcpy(reply.bytes, head, (size_t)n_head);
    xb_fill_bytes(reply.bytes + n_head, params->bytes, params->seed);
    /* Workers check their work over a second connection. */
    const struct xb_peer_service service = {
        .family = AF_INET, .links = 2, .answer = answer, .context = &reply
    };
    int err = xb_peer_start(&web->peer, params, &service);
    free(reply.bytes); /* ours; the server has its own copy since the fork */
    snprintf(web->own_url, sizeof web->own_url, "http://127.0.0.1:%u/",
             (unsigned)ntohs(web->peer.address.tcp.sin_port));
    web->name = web->own_url;
    return err;
}

int xb_web_open(struct xb_web *web, const struct xb_params *params)
{
    *web = (struct xb_web){ .name = params->url };
    int err = params->url ? 0 : start_server(web, params);
    if (err)
        return err;
    const char *wrong = xb_url_parse(web->name, &web->url);
    if (wrong)
        return xb_explain(params, -EINVAL, "%.70s: %s", web->name, wrong);
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list;
    int bad = getaddrinfo(web->url.host, web->url.port, &hints, &list);
    if (bad)
        return xb_explain(params, -EHOSTUNREACH, "%.90s: cannot resolve the host: %s", web->name,
                          gai_strerror(bad));
    /* The first address that answers, as browsers do: "localhost" often means ::1 first, where
     * nobody may listen. */
    int fd = -EHOSTUNREACH;
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next) {
        memcpy(&web->address, at->ai_addr, at->ai_addrlen);
        web->address_len = at->ai_addrlen;
        fd = xb_web_connect(web, params, CONNECT_LIMIT_S);
    }
    freeaddrinfo(list);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

int xb_web_connect(const struct xb_web *web, const struct xb_params *params, unsigned limit_s)
{
    int fd = xb_peer_connect((const struct sockaddr *)&web->address, web->address_len, limit_s,
                             params->index);
    return fd < 0 ? xb_peer_unreached(params, web->name, fd) : fd;
}

void xb_web_close(struct xb_web *web)
{
    xb_peer_stop(&web->peer);
}
