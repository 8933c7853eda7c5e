/* The web server that HTTP kernels ask: the user's, or a small one of our own. */
#ifndef XB_KERNELS_WEB_H
#define XB_KERNELS_WEB_H

#include "http.h"
#include "kernel.h"
#include "peer.h"

struct xb_web {
    struct xb_peer peer; /* not started if the user gave a URL */
    char own_url[32];
    const char *name; /* the URL, for messages; points into params or this struct */
    struct xb_url url;
    struct sockaddr_storage address;
    socklen_t address_len;
};

/* Finds an address of params->url that can be connected to; if that is NULL, starts a server
 * which answers every request with the same params->bytes seeded bytes.
 * `web`: overwritten, and must not move; give back with xb_web_close(), after failure too.
 * Returns 0, or -errno with params->why filled. From team_setup only, as it asks the resolver. */
int xb_web_open(struct xb_web *web, const struct xb_params *params);

/* Connects one worker. `limit_s`: as in xb_peer_connect().
 * Returns the caller's descriptor, or -errno with params->why filled. */
int xb_web_connect(const struct xb_web *web, const struct xb_params *params, unsigned limit_s);

void xb_web_close(struct xb_web *web);

#endif
