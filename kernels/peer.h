/* A server in a process of its own, for kernels that need somebody to talk to.
 *
 * A process rather than a thread: the server's time must not show up in the counters of the
 * lanes, and under the loop model a thread of ours would take turns with the one lane. */
#ifndef XB_KERNELS_PEER_H
#define XB_KERNELS_PEER_H

#include "kernel.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

struct xb_peer {
    pid_t pid; /* 0: none */
    union {
        struct sockaddr any;
        struct sockaddr_in tcp;   /* 127.0.0.1 and the port the system chose */
        struct sockaddr_un local; /* a name without a file that the system chose: unix(7) */
    } address;
    socklen_t address_len;
};

/* One connection, as the server's callback sees it. */
struct xb_peer_talk {
    const char *in; /* what came in and is not answered yet */
    size_t n_in;    /* bytes, >= 1 */
    /* The callback's: an answer, which stays valid until it is sent, and how many bytes of `in`
     * it settles. Both left at 0 mean that more input is needed first. */
    const char *out;
    size_t n_out;
    size_t used;
    bool last; /* hang up after this answer */
};

/* What a server does. */
struct xb_peer_service {
    int family;     /* AF_INET or AF_UNIX; stream sockets */
    unsigned links; /* connections that a worker has at the same time, at most */
    /* Runs in the server's process, which sees memory as of the fork. */
    void (*answer)(const void *context, struct xb_peer_talk *talk);
    const void *context;
};

/* Forks a server that listens on a free port of 127.0.0.1 or a free name, and answers every
 * connection, one after the other in one thread.
 * `peer`: overwritten; stop it with xb_peer_stop().
 * Returns 0, or -errno with params->why filled. Connecting works as soon as this returns.
 * Call it from team_setup only, from a thread that outlives the cell: the server is killed when
 * that thread ends (prctl(2), PR_SET_PDEATHSIG), so that a crash leaves none behind. */
int xb_peer_start(struct xb_peer *peer, const struct xb_params *params,
                  const struct xb_peer_service *service);

/* Kills the server and waits for its end. Accepts one that never started. */
void xb_peer_stop(struct xb_peer *peer);

/* Connects a blocking stream socket, with TCP_NODELAY where it is TCP.
 * `limit_s`: seconds to wait for the connection, 0 for as long as the system does; it stays on
 * the socket as its send and receive timeout.
 * `which`: the how-manieth connection to this address; those to loopback come from different
 * addresses after some thousands, since from each there are no more than 28232 ports by default.
 * Returns the caller's descriptor, or -errno. */
int xb_peer_connect(const struct sockaddr *address, socklen_t address_len, unsigned limit_s,
                    uint32_t which);

/* Raises how many files this process may open to `wanted` (RLIMIT_NOFILE), as far as that is
 * allowed. Returns how many it may open now. */
uint64_t xb_peer_raise_files(uint64_t wanted);

/* What a user can do about `code` (an errno value): "; raise ulimit -n" or "". */
const char *xb_peer_remedy(int code);

/* Says why a connection to `name` could not be had: `code`, -errno from xb_peer_connect(), and what a
 * user can do. Returns `code`, but -ENOTSUP where it is a limit on files, which this process has tried
 * to raise: the cell is then skipped. */
int xb_peer_unreached(const struct xb_params *params, const char *name, int code);

#endif
