/* SPDX-License-Identifier: BSD-3-Clause
 * Fetches one URL over and over through keep-alive HTTP/1.1 connections, one per worker. */
#include "../kernel.h"
#include "../stream.h"
#include "../web.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* Longer bodies are summed in parts of this size, which a per-core cache holds. A reply's head
 * must fit into one. */
#define PART_BYTES ((size_t)65536)

#define VERIFY_LIMIT_S 10 /* without a byte of the reply: then the server is called dead */

struct team {
    struct xb_web web;
    char request[2048];
    size_t n_request;
};

struct state {
    const struct team *team;
    int fd; /* -1: none */
    char *part;
};

static void team_teardown(void *team)
{
    if (team)
        xb_web_close(&((struct team *)team)->web);
    free(team);
}

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    (void)memory;
    struct team *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    *team = t;
    int err = xb_web_open(&t->web, params);
    /* No longer than its parts: 1024 + 272 bytes and the words between. */
    t->n_request =
        (size_t)snprintf(t->request, sizeof t->request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n",
                         t->web.url.target, t->web.url.authority);
    return err;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    *state = s;
    s->team = team;
    s->fd = -1;
    s->part = malloc(PART_BYTES);
    if (!s->part)
        return -ENOMEM;
    memset(s->part, 0, PART_BYTES);
    s->fd = xb_web_connect(&s->team->web, params, 0);
    return s->fd < 0 ? s->fd : 0;
}

static int complain(const struct xb_run *run, const struct state *s, int code, const char *clause)
{
    return xb_explain(run->params, code, "%.60s: %s", s->team->web.name, clause);
}

/* Receives up to `room` bytes; returns how many, or -errno with a clause. */
static int64_t receive(struct xb_run *run, const struct state *s, struct xb_io_op *op, void *buf,
                       size_t room)
{
    op->kind = XB_IO_RECV;
    op->marks = XB_IO_ENDS; /* perhaps: the last of these before the next BEGINS is the end */
    op->buf = buf;
    op->len = room;
    int64_t n = xb_await(run->io, op);
    if (n > 0)
        return n;
    return n ? complain(run, s, (int)n, strerror((int)-n))
             : complain(run, s, -EPROTO,
                        "the server closed the connection before its reply was complete");
}

/* Receives one reply and adds its status and body, as words, to `did`. */
static int receive_reply(struct xb_run *run, const struct state *s, struct xb_io_op *op,
                         struct xb_work *did)
{
    size_t have = 0;
    const char *end = NULL;
    while (!end) {
        if (have == PART_BYTES)
            return complain(run, s, -EPROTO, "the head of the reply exceeds 64 KiB");
        int64_t n = receive(run, s, op, s->part + have, PART_BYTES - have);
        if (n < 0)
            return (int)n;
        size_t rescan = have < 3 ? have : 3;
        end = memmem(s->part + have - rescan, (size_t)n + rescan, "\r\n\r\n", 4);
        have += (size_t)n;
    }
    struct xb_http_head head;
    const char *wrong = xb_http_parse(s->part, (size_t)(end - s->part) + 2, &head);
    if (head.status && head.status != 200)
        return xb_explain(run->params, -EPROTO,
                          "%.60s: the server answers %u; give a URL that answers 200",
                          s->team->web.name, head.status);
    if (wrong)
        return complain(run, s, -EPROTO, wrong);

    const char *at = end + 4;
    have -= (size_t)(at - s->part);
    uint64_t left = head.body_bytes;
    if (have > left)
        return complain(run, s, -EPROTO, "the reply is longer than its Content-Length");
    did->checksum += head.status;
    did->bytes_read += head.body_bytes;
    for (;;) {
        /* All of the last part, otherwise whole words; the odd bytes move to the front. */
        size_t take = have == left ? have : have & ~(size_t)7;
        did->checksum += xb_sum_words(at, take);
        left -= take;
        have -= take;
        if (left == 0)
            return 0;
        memmove(s->part, at + take, have);
        at = s->part;
        uint64_t wanted = left - have;
        size_t room = wanted < PART_BYTES - have ? (size_t)wanted : PART_BYTES - have;
        int64_t n = receive(run, s, op, s->part + have, room);
        if (n < 0)
            return (int)n;
        have += (size_t)n;
    }
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct state *s = state;
    struct xb_io_op op = { .fd = s->fd, .offset = XB_IO_STREAM };
    for (uint64_t k = 0; k < iters; k++) {
        /* The contract of io.h lets the request be const behind this pointer. */
        int err = xb_stream_move(run->io, &op, XB_IO_SEND, (void *)(uintptr_t)s->team->request,
                                 s->team->n_request, XB_IO_BEGINS);
        if (err)
            return complain(run, s, err, strerror(-err));
        err = receive_reply(run, s, &op, did);
        if (err)
            return err;
        did->items++;
        did->bytes_written += s->team->n_request;
    }
    return 0;
}

/* One request of its own through plain blocking calls: the reply runs to the end of the stream
 * rather than to its Content-Length, and its body is summed byte by byte. */
static int fetch(const struct xb_params *params, const struct team *team, uint64_t *sum,
                 uint64_t *bytes)
{
    int fd = xb_web_connect(&team->web, params, VERIFY_LIMIT_S);
    if (fd < 0)
        return fd;
    char *part = malloc(PART_BYTES);
    char request[2048];
    int n_request = snprintf(request, sizeof request,
                             "GET %s HTTP/1.1\r\nHost: %s\r\n"
                             "Connection: close\r\n\r\n",
                             team->web.url.target, team->web.url.authority);
    int err = part ? 0 : -ENOMEM;
    /* Not write(): a server that is gone would end us with SIGPIPE. */
    if (!err && send(fd, request, (size_t)n_request, MSG_NOSIGNAL) != n_request)
        err = -errno;
    *sum = 0;
    *bytes = 0;
    unsigned ends = 0; /* how much of CR LF CR LF was seen in a row; 4: the body has begun */
    unsigned status = 0;
    size_t at_head = 0; /* the status is the digits at 9, 10 and 11 */
    while (!err) {
        ssize_t n = recv(fd, part, PART_BYTES, 0);
        if (n <= 0) {
            err = n ? -errno : 0;
            break;
        }
        for (ssize_t i = 0; i < n; i++) {
            unsigned char byte = (unsigned char)part[i];
            if (ends == 4) {
                *sum += (uint64_t)byte << (*bytes % 8 * 8);
                ++*bytes;
                continue;
            }
            if (at_head >= 9 && at_head < 12)
                status = status * 10 + byte - '0';
            at_head++;
            ends = byte == (ends % 2 ? '\n' : '\r') ? ends + 1 : byte == '\r';
        }
    }
    *sum += status;
    free(part);
    close(fd);
    return err;
}

static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)state;
    const struct team *t = team;
    uint64_t sum, bytes;
    int err = fetch(params, t, &sum, &bytes);
    if (err)
        return xb_explain(params, err, "%.60s: one more request, to check the others: %s",
                          t->web.name, strerror(-err));
    uint64_t request = strlen("GET  HTTP/1.1\r\nHost: \r\n\r\n") + strlen(t->web.url.target) +
                       strlen(t->web.url.authority);
    if (params->url && (did->checksum != iters * sum || did->bytes_read != iters * bytes))
        return xb_explain(
            params, -EBADMSG,
            "%.60s: the body is not the same each time; give the URL of a static file",
            t->web.name);
    bool same = did->items == iters && did->bytes_read == iters * bytes &&
                did->bytes_written == iters * request && did->flops == 0 &&
                did->checksum == iters * sum && did->outcome == 0;
    return same ? 0 : -EBADMSG;
}

static void teardown(void *state)
{
    struct state *s = state;
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->part);
    free(s);
}

static const struct xb_claim claims[] = {
    { .ratio = XB_RATIO_USER_SHARE, .at_least = 0, .at_most = 0.6 },
};

const struct xb_kernel xb_kernel_io_http_get = {
    .name = "io/http_get",
    .summary = "keep-alive HTTP/1.1 requests for --url, or to a small server process on loopback",
    .source = "wrk (github.com/wg/wrk); RFC 9112",
    .item = "request",
    .bound = XB_CLASS_IO,
    .fit = XB_FIT_OWN,
    .own_bytes = 1024,
    .needs = XB_NEED_BYTES | XB_NEED_URL,
    .claims = claims,
    .n_claims = sizeof claims / sizeof claims[0],
    .team_setup = team_setup,
    .setup = setup,
    .run = run,
    .verify = verify,
    .teardown = teardown,
    .team_teardown = team_teardown,
};
