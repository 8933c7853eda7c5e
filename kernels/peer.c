/* SPDX-License-Identifier: BSD-3-Clause
 * Runs an epoll server in a child process and connects to it. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Above the 16 KiB a client keeps outstanding, so that one recv() nearly always drains the
 * socket; pages that a connection never fills are never touched. */
#define IN_BYTES 32768

#define LISTENER 3 /* the one descriptor the child keeps, besides the standard three */

struct connection {
    struct xb_peer_talk talk;
    int fd;
    char in[IN_BYTES];
};

struct server {
    void (*answer)(const void *context, struct xb_peer_talk *talk);
    const void *context;
    int epoll;
};

/* Sends what is owed. 1: all sent, 0: the socket is full, -1: the connection is over. */
static int send_answer(struct connection *link)
{
    struct xb_peer_talk *talk = &link->talk;
    while (talk->n_out) {
        ssize_t n = send(link->fd, talk->out, talk->n_out, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        talk->out += n;
        talk->n_out -= (size_t)n;
    }
    if (talk->last)
        return -1;
    talk->n_in -= talk->used;
    if (talk->n_in)
        memmove(link->in, link->in + talk->used, talk->n_in);
    talk->used = 0;
    return 1;
}

/* Takes one connection as far as it goes without waiting. Returns false when it is over.
 * `hung_up`: the other side sends no more, so there is an end of file to read up to. */
static bool serve(const struct server *server, struct connection *link, bool hung_up)
{
    struct xb_peer_talk *talk = &link->talk;
    bool drained = false;
    for (;;) {
        int sent = send_answer(link);
        if (sent <= 0)
            return sent == 0;
        if (talk->n_in) {
            server->answer(server->context, talk);
            if (talk->n_out)
                continue;
        }
        size_t room = IN_BYTES - talk->n_in;
        if (drained || room == 0)
            return drained;
        ssize_t n = recv(link->fd, link->in + talk->n_in, room, 0);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        talk->n_in += (size_t)n;
        /* A short read means that nothing is left, see epoll(7) on edge-triggered streams: that
         * saves one call in four per request. An end of file right behind it would stay unseen,
         * but then it either is in this event or brings the next. */
        drained = (size_t)n < room && !hung_up;
    }
}

static void accept_all(const struct server *server)
{
    int fd;
    while ((fd = accept4(LISTENER, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *link = malloc(sizeof *link);
        /* Both directions from the start, edge-triggered: no epoll_ctl() per request. */
        struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                     .data.ptr = link };
        if (!link || epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event))
            _exit(1);
        link->fd = fd;
        link->talk = (struct xb_peer_talk){ .in = link->in };
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* a unix socket refuses that */
    }
    /* Out of descriptors: an end resets the clients at once, where staying would hang them. */
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        _exit(1);
}

_Noreturn static void serve_forever(struct server *server)
{
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    if (server->epoll < 0 || epoll_ctl(server->epoll, EPOLL_CTL_ADD, LISTENER, &event))
        _exit(1);
    for (;;) {
        struct epoll_event ready[64];
        int n = epoll_wait(server->epoll, ready, 64, -1);
        if (n < 0 && errno != EINTR)
            _exit(1);
        for (int i = 0; i < n; i++) {
            struct connection *link = ready[i].data.ptr;
            if (!link) {
                accept_all(server);
            } else if (!serve(server, link, ready[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
                close(link->fd);
                free(link);
            }
        }
    }
}

/* Sheds what the child inherited and does not want. */
static void settle(pid_t parent, int listener)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1); /* it died before prctl() took effect */
    prctl(PR_SET_NAME, "xbound-peer");
    for (int signo = 1; signo < NSIG; signo++)
        signal(signo, SIG_DFL);
    /* Ctrl-C reaches the whole foreground group. What it ends is the harness's choice; without
     * a server the running sample would be called failed. */
    signal(SIGINT, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (listener != LISTENER)
        dup2(listener, LISTENER);
    close_range(LISTENER + 1, ~0u, 0);
}

uint64_t xb_peer_raise_files(uint64_t wanted)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return 0;
    /* Who has CAP_SYS_RESOURCE may lift the hard limit too, up to sysctl fs.nr_open. */
    struct rlimit more = { .rlim_cur = wanted, .rlim_max = wanted };
    if (files.rlim_max >= wanted)
        more.rlim_max = files.rlim_max;
    if (files.rlim_cur < wanted && setrlimit(RLIMIT_NOFILE, &more) != 0) {
        more = (struct rlimit){ .rlim_cur = files.rlim_max, .rlim_max = files.rlim_max };
        setrlimit(RLIMIT_NOFILE, &more);
    }
    return getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : 0;
}

/* Not a failure: raising the limit was tried, and this machine does not have so many. */
static int refuse_files(const struct xb_params *params, const char *name)
{
    return xb_explain(params, -ENOTSUP,
                      "%.60s: %u connections exceed the %llu files of a process; raise ulimit -Hn, "
                      "or take fewer workers",
                      name, (unsigned)params->workers, (unsigned long long)xb_peer_raise_files(0));
}

int xb_peer_start(struct xb_peer *peer, const struct xb_params *params,
                  const struct xb_peer_service *service)
{
    bool local = service->family == AF_UNIX;
    *peer = (struct xb_peer){ .address_len = sizeof peer->address };
    peer->address.any.sa_family = (sa_family_t)service->family;
    if (!local)
        peer->address.tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    /* The server holds all connections, also where each worker process holds only its own. */
    uint64_t wanted = (uint64_t)service->links * params->workers + 8;
    if (xb_peer_raise_files(wanted) < wanted)
        return refuse_files(params, "a server");
    const char *step = "socket";
    int code = 0;
    int listener = socket(service->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0)
        goto failed;
    step = local ? "bind" : "bind to 127.0.0.1";
    /* unix(7): a name by the system is what an address of a family and nothing else asks for. */
    if (bind(listener, &peer->address.any, local ? sizeof(sa_family_t) : sizeof peer->address.tcp))
        goto failed;
    step = "listen";
    if (listen(listener, SOMAXCONN))
        goto failed;
    step = "getsockname";
    if (getsockname(listener, &peer->address.any, &peer->address_len))
        goto failed;
    step = "fork";
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        goto failed;
    if (pid == 0) {
        settle(parent, listener);
        struct server server = { .answer = service->answer, .context = service->context };
        serve_forever(&server);
    }
    peer->pid = pid;
    close(listener);
    return 0;
failed:
    code = errno;
    if (listener >= 0)
        close(listener);
    return xb_explain(params, -code, "starting a server: %s: %s%s", step, strerror(code),
                      xb_peer_remedy(code));
}

void xb_peer_stop(struct xb_peer *peer)
{
    if (peer->pid <= 0)
        return;
    kill(peer->pid, SIGKILL);
    while (waitpid(peer->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    peer->pid = 0;
}

enum { LINKS_PER_ADDRESS = 8192 };

/* Chooses the address that a connection within loopback comes from: 127.0.0.1, 127.0.0.2, ...
 * IP_BIND_ADDRESS_NO_PORT leaves the port to connect(), which looks for one that is free towards
 * that one address, where bind() would look for one that is free altogether; ip(7). */
static int leave_from(int fd, const struct sockaddr *address, uint32_t which)
{
    const struct sockaddr_in *to = (const struct sockaddr_in *)(const void *)address;
    if (which < LINKS_PER_ADDRESS || ntohl(to->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
        return 0;
    struct sockaddr_in from = { .sin_family = AF_INET };
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + which / LINKS_PER_ADDRESS);
    int on = 1;
    return setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) ||
           bind(fd, (const struct sockaddr *)&from, sizeof from);
}

int xb_peer_connect(const struct sockaddr *address, socklen_t address_len, unsigned limit_s,
                    uint32_t which)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int on = 1;
    struct timeval limit = { .tv_sec = limit_s };
    int err = (address->sa_family != AF_UNIX &&
               setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)) ||
              (address->sa_family == AF_INET && leave_from(fd, address, which)) ||
              setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) ||
              setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) ||
              connect(fd, address, address_len);
    if (!err)
        return fd;
    /* connect(2): EINPROGRESS on a blocking socket is how SO_SNDTIMEO speaks. */
    int code = errno == EINPROGRESS ? ETIMEDOUT : errno;
    close(fd);
    return -code;
}

const char *xb_peer_remedy(int code)
{
    switch (code) {
    case EMFILE:
        return "; raise ulimit -n";
    case ENFILE:
        return "; raise sysctl fs.file-max";
    case EADDRNOTAVAIL:
        return "; too few free ports, see sysctl net.ipv4.ip_local_port_range";
    default:
        return "";
    }
}

int xb_peer_unreached(const struct xb_params *params, const char *name, int code)
{
    if (code == -EMFILE)
        return refuse_files(params, name);
    return xb_explain(params, code, "%.80s: connect: %s%s", name, strerror(-code),
                      xb_peer_remedy(-code));
}
