/* SPDX-License-Identifier: BSD-3-Clause
 * Tests that every engine carries out every kind of operation alike, under every model that fits.
 *
 * A scene is what one kernel would do; it runs as a kernel, in a cell of its own, and says what
 * went wrong through the cell's reason. */
#include "cellrun.h"
#include "xbtest.h"

#include "../base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIPES = 40, WORKERS_MAX = 64, EVENTS = 256, DEPTH = 32 };

/* What a scene finds prepared, before any worker exists. */
struct props {
    int pipe[PIPES][2];
    int pair[2];  /* connected stream sockets */
    int listener; /* TCP on loopback */
    struct sockaddr_in address;
    struct sockaddr_in refused; /* bound by us, so that nobody else can listen there */
    int unheard;                /* the socket that is bound to it */
    int file;
    char *big; /* BIG bytes of a pattern */
};

enum { BIG = 400 * 1000 }; /* more than pipes and socket buffers hold at once */

/* In memory that all workers and the test see. */
struct notes {
    _Atomic uint32_t n;
    uint8_t event[EVENTS];
    uint64_t begin_ns[WORKERS_MAX];
};

enum { ASYNC = 1, FILES = 2, NO_FILES = 4, PARKING = 8 };

struct scene {
    const char *name;
    int (*play)(struct xb_run *run, const struct props *props);
    uint32_t workers;
    unsigned where; /* ASYNC: operations stay in flight; PARKING: models that park only */
    void (*check)(void);
};

static const struct scene *scene;
static struct notes *notes;

/* ---- a kernel that plays a scene ---- */

static int open_sockets(struct props *props)
{
    props->address = props->refused =
        (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof props->address;
    props->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    props->unheard = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(props->listener, (struct sockaddr *)&props->address, bytes) != 0 ||
        listen(props->listener, 8) != 0 ||
        getsockname(props->listener, (struct sockaddr *)&props->address, &bytes) != 0 ||
        bind(props->unheard, (struct sockaddr *)&props->refused, bytes) != 0 ||
        getsockname(props->unheard, (struct sockaddr *)&props->refused, &bytes) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, props->pair) != 0)
        return -errno;
    return 0;
}

/* Nothing is given back: the cell's process ends. */
static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    (void)memory;
    struct props *props = *team = calloc(1, sizeof *props);
    for (int i = 0; i < PIPES; i++)
        if (pipe(props->pipe[i]) != 0)
            return xb_explain(params, -errno, "pipe: %s", strerror(errno));
    int err = open_sockets(props);
    if (err)
        return xb_explain(params, err, "sockets: %s", strerror(-err));
    char path[512];
    snprintf(path, sizeof path, "%s/file", params->scratch_dir);
    props->file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    props->big = malloc(BIG);
    for (int i = 0; i < BIG; i++)
        props->big[i] = (char)(i * 7 + i / 256);
    return props->file < 0 ? xb_explain(params, -errno, "%.60s: %s", path, strerror(errno)) : 0;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)params;
    (void)team;
    *state = calloc(1, sizeof(bool));
    return *state ? 0 : -ENOMEM;
}

/* Scenes use things up, so they play in the warm-up only. */
static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    bool *played = state;
    did->items += iters;
    int err = *played ? 0 : scene->play(run, run->team);
    *played = true;
    return err;
}

static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)params;
    (void)team;
    (void)state;
    return did->items == iters ? 0 : -EBADMSG;
}

static void teardown(void *state)
{
    free(state);
}

static const struct xb_kernel player = {
    .name = "io/player",
    .item = "scene",
    .bound = XB_CLASS_IO,
    .needs = XB_NEED_DEPTH,
    .team_setup = team_setup,
    .setup = setup,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};

/* ---- words for scenes ---- */

#define EXPECT(condition)                                                                   \
    do {                                                                                    \
        if (!(condition))                                                                   \
            return xb_explain(run->params, -EPROTO, "line %d, worker %u: %.100s", __LINE__, \
                              run->params->index, #condition);                              \
    } while (0)

#define EXPECT_EQ(is, should)                                                                      \
    do {                                                                                           \
        int64_t xb_is = (is), xb_should = (should);                                                \
        if (xb_is != xb_should)                                                                    \
            return xb_explain(run->params, -EPROTO, "line %d, worker %u: %.80s is %lld, not %lld", \
                              __LINE__, run->params->index, #is, (long long)xb_is,                 \
                              (long long)xb_should);                                               \
    } while (0)

static void note(uint32_t worker)
{
    uint32_t at = atomic_fetch_add(&notes->n, 1);
    if (at < EVENTS)
        notes->event[at] = (uint8_t)worker;
}

static int64_t move(struct xb_run *run, enum xb_io_kind kind, int fd, void *buf, size_t len,
                    int64_t offset)
{
    struct xb_io_op op = { .kind = kind, .fd = fd, .buf = buf, .len = len, .offset = offset };
    return xb_await(run->io, &op);
}

static int64_t read_some(struct xb_run *run, int fd, void *buf, size_t len)
{
    return move(run, XB_IO_READ, fd, buf, len, XB_IO_STREAM);
}

static int64_t write_some(struct xb_run *run, int fd, const char *buf, size_t len)
{
    return move(run, XB_IO_WRITE, fd, (void *)(uintptr_t)buf, len, XB_IO_STREAM);
}

static int64_t do_with(struct xb_run *run, enum xb_io_kind kind, int fd)
{
    return move(run, kind, fd, NULL, 0, XB_IO_STREAM);
}

static int64_t sleep_for(struct xb_run *run, uint64_t ns)
{
    struct xb_io_op op = { .kind = XB_IO_SLEEP, .sleep_ns = ns };
    return xb_await(run->io, &op);
}

static struct xb_io_op read_op(int fd, char *buf)
{
    return (struct xb_io_op){
        .kind = XB_IO_READ, .fd = fd, .buf = buf, .len = 1, .offset = XB_IO_STREAM
    };
}

static int await(struct xb_run *run, struct xb_io_op *ops, size_t n, size_t at_least)
{
    return run->io->await(run->io, ops, n, at_least);
}

/* ---- scenes: streams ---- */

/* Ends that are to be hung up are made on the spot: props are open in the cell's process too. */
static int moves_bytes_through_a_pipe(struct xb_run *run, const struct props *props)
{
    (void)props;
    char buf[100] = "";
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    int in = ends[1], out = ends[0];
    EXPECT_EQ(write_some(run, in, "hello", 5), 5);
    EXPECT_EQ(read_some(run, out, buf, 3), 3);
    EXPECT_EQ(read_some(run, out, buf + 3, sizeof buf - 3), 2); /* short: no more is there */
    EXPECT(memcmp(buf, "hello", 5) == 0);
    EXPECT_EQ(write_some(run, in, "bye", 3), 3);
    EXPECT_EQ(do_with(run, XB_IO_CLOSE, in), 0);
    EXPECT_EQ(read_some(run, out, buf, sizeof buf), 3);
    EXPECT_EQ(read_some(run, out, buf, sizeof buf), 0); /* the end */
    EXPECT_EQ(do_with(run, XB_IO_CLOSE, out), 0);
    EXPECT_EQ(do_with(run, XB_IO_CLOSE, out), -EBADF);
    return 0;
}

/* Worker 0 waits before there is anything to read: nobody else writes. */
static int waits_for_a_writer(struct xb_run *run, const struct props *props)
{
    char buf[8];
    for (int round = 0; round < 5; round++) {
        if (run->params->index == 0) {
            EXPECT_EQ(read_some(run, props->pipe[0][0], buf, sizeof buf), 4);
            EXPECT(memcmp(buf, "ping", 4) == 0);
            EXPECT_EQ(write_some(run, props->pipe[1][1], "pong!", 5), 5);
        } else {
            EXPECT_EQ(sleep_for(run, 500000), 0);
            EXPECT_EQ(write_some(run, props->pipe[0][1], "ping", 4), 4);
            EXPECT_EQ(read_some(run, props->pipe[1][0], buf, sizeof buf), 5);
            EXPECT(memcmp(buf, "pong!", 5) == 0);
        }
    }
    return 0;
}

/* Sends or receives all of `big`; the receiver compares it. */
static int pass_all(struct xb_run *run, const struct props *props, enum xb_io_kind kind, int fd)
{
    bool takes = kind == XB_IO_READ || kind == XB_IO_RECV;
    char *copy = takes ? calloc(1, BIG) : props->big;
    int64_t n = 0;
    for (size_t at = 0; at < BIG && copy; at += (size_t)n) {
        n = move(run, kind, fd, copy + at, BIG - at, XB_IO_STREAM);
        if (n <= 0)
            break;
    }
    bool same = copy && memcmp(copy, props->big, BIG) == 0;
    if (takes)
        free(copy);
    EXPECT(n > 0);
    EXPECT(same);
    return 0;
}

static int waits_for_room_in_a_pipe(struct xb_run *run, const struct props *props)
{
    return run->params->index ? pass_all(run, props, XB_IO_WRITE, props->pipe[0][1])
                              : pass_all(run, props, XB_IO_READ, props->pipe[0][0]);
}

static int talks_over_tcp(struct xb_run *run, const struct props *props)
{
    char buf[16];
    int64_t fd;
    int err;
    if (run->params->index == 0) {
        fd = do_with(run, XB_IO_ACCEPT, props->listener);
        EXPECT(fd >= 0);
        err = pass_all(run, props, XB_IO_RECV, (int)fd);
        err = err ? err : pass_all(run, props, XB_IO_SEND, (int)fd);
        EXPECT_EQ(err, 0);
        EXPECT_EQ(move(run, XB_IO_RECV, (int)fd, buf, sizeof buf, XB_IO_STREAM), 0); /* the end */
    } else {
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct xb_io_op op = { .kind = XB_IO_CONNECT,
                               .fd = (int)fd,
                               .addr = (const struct sockaddr *)&props->address,
                               .addr_len = sizeof props->address };
        EXPECT_EQ(xb_await(run->io, &op), 0);
        err = pass_all(run, props, XB_IO_SEND, (int)fd);
        err = err ? err : pass_all(run, props, XB_IO_RECV, (int)fd);
        EXPECT_EQ(err, 0);
    }
    EXPECT_EQ(do_with(run, XB_IO_CLOSE, (int)fd), 0);
    return 0;
}

/* ---- scenes: files ---- */

static int moves_bytes_at_offsets_of_a_file(struct xb_run *run, const struct props *props)
{
    char buf[16] = "";
    int fd = props->file;
    EXPECT_EQ(move(run, XB_IO_WRITE, fd, props->big, 5000, 100), 5000);
    EXPECT_EQ(move(run, XB_IO_WRITE, fd, props->big, 10, 0), 10);
    EXPECT_EQ(do_with(run, XB_IO_FSYNC, fd), 0);
    EXPECT_EQ(move(run, XB_IO_READ, fd, buf, sizeof buf, 100), sizeof buf);
    EXPECT(memcmp(buf, props->big, sizeof buf) == 0);
    EXPECT_EQ(move(run, XB_IO_READ, fd, buf, sizeof buf, 50), sizeof buf);
    EXPECT(buf[0] == 0 && buf[15] == 0); /* the hole */
    EXPECT_EQ(move(run, XB_IO_READ, fd, buf, sizeof buf, 5096), 4);
    EXPECT(memcmp(buf, props->big + 4996, 4) == 0);
    EXPECT_EQ(move(run, XB_IO_READ, fd, buf, sizeof buf, 9999), 0);
    return 0;
}

/* Refused rather than done by blocking unseen. */
static int refuses_files(struct xb_run *run, const struct props *props)
{
    char buf[16];
    EXPECT_EQ(move(run, XB_IO_WRITE, props->file, props->big, 10, 0), -EPERM);
    EXPECT_EQ(move(run, XB_IO_READ, props->file, buf, sizeof buf, 0), -EPERM);
    EXPECT_EQ(do_with(run, XB_IO_FSYNC, props->file), -EPERM);
    return 0;
}

/* ---- scenes: time and turns ---- */

static int sleeps_no_shorter_than_asked(struct xb_run *run, const struct props *props)
{
    (void)props;
    uint64_t begin_ns = xb_now_ns();
    EXPECT_EQ(sleep_for(run, 3000000), 0);
    EXPECT(xb_now_ns() - begin_ns >= 3000000);
    EXPECT_EQ(sleep_for(run, 0), 0);
    EXPECT_EQ(sleep_for(run, 1), 0);
    return 0;
}

static const uint64_t naps_ns[3] = { 60000000, 20000000, 40000000 };

static int sleeps_end_in_order(struct xb_run *run, const struct props *props)
{
    (void)props;
    uint32_t index = run->params->index;
    notes->begin_ns[index] = xb_now_ns();
    EXPECT_EQ(sleep_for(run, naps_ns[index]), 0);
    note(index);
    return 0;
}

static void check_order_of_sleeps(void)
{
    XB_EXPECT_EQ(atomic_load(&notes->n), 3);
    /* Unless we were kept from beginning them together. */
    uint64_t first = UINT64_MAX, last = 0;
    for (int i = 0; i < 3; i++) {
        first = notes->begin_ns[i] < first ? notes->begin_ns[i] : first;
        last = notes->begin_ns[i] > last ? notes->begin_ns[i] : last;
    }
    if (last - first > 10000000)
        return;
    XB_EXPECT_EQ(notes->event[0], 1);
    XB_EXPECT_EQ(notes->event[1], 2);
    XB_EXPECT_EQ(notes->event[2], 0);
}

static int yields(struct xb_run *run, const struct props *props)
{
    (void)props;
    for (int i = 0; i < 10; i++) {
        note(run->params->index);
        EXPECT_EQ(do_with(run, XB_IO_YIELD, -1), 0);
    }
    return 0;
}

static void check_turns(void)
{
    XB_EXPECT_EQ(atomic_load(&notes->n), 30);
    for (int i = 3; i < 30; i++)
        XB_EXPECT_EQ(notes->event[i], notes->event[i - 3]);
    XB_EXPECT(notes->event[0] != notes->event[1] && notes->event[1] != notes->event[2]);
}

/* Those who only yield must not starve one who waits for the world. */
static int yielding_does_not_starve_a_sleeper(struct xb_run *run, const struct props *props)
{
    (void)props;
    if (run->params->index == 0) {
        EXPECT_EQ(sleep_for(run, 1000000), 0);
        note(0);
        return 0;
    }
    while (atomic_load(&notes->n) == 0)
        EXPECT_EQ(do_with(run, XB_IO_YIELD, -1), 0);
    return 0;
}

static int many_workers_at_once(struct xb_run *run, const struct props *props)
{
    (void)props;
    for (uint32_t i = 0; i < 20; i++)
        EXPECT_EQ(i % 4 ? do_with(run, XB_IO_YIELD, -1)
                        : sleep_for(run, 1000 * (run->params->index + 1)),
                  0);
    return 0;
}

/* ---- scenes: several operations at once ---- */

static int carries_out_all_of_an_array(struct xb_run *run, const struct props *props)
{
    char buf[3];
    struct xb_io_op ops[5];
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(write_some(run, props->pipe[i][1], &"abc"[i], 1), 1);
        ops[i] = read_op(props->pipe[i][0], &buf[i]);
    }
    ops[3] = (struct xb_io_op){ .kind = XB_IO_SLEEP, .sleep_ns = 100000 };
    ops[4] = (struct xb_io_op){ .kind = XB_IO_READ, .fd = -1, .buf = buf, .len = 1 };
    EXPECT_EQ(await(run, ops, 5, 5), 0);
    EXPECT(memcmp(buf, "abc", 3) == 0);
    for (int i = 0; i < 5; i++) {
        EXPECT_EQ(ops[i].state, XB_IO_DONE);
        EXPECT_EQ(ops[i].result, i < 3 ? 1 : i == 3 ? 0 : -EBADF);
    }
    /* Nothing is new, so nothing is done: not even with results to overwrite. */
    ops[0].result = 77;
    EXPECT_EQ(await(run, ops, 5, 5), 0);
    EXPECT_EQ(ops[0].result, 77);
    EXPECT_EQ(await(run, ops, 0, 0), 0);
    return 0;
}

static int a_yield_in_an_array_is_one_of_its_operations(struct xb_run *run,
                                                        const struct props *props)
{
    for (int first = 0; first < 2; first++) {
        char byte = 0;
        struct xb_io_op ops[2];
        ops[first] = (struct xb_io_op){ .kind = XB_IO_YIELD };
        ops[!first] = read_op(props->pipe[0][0], &byte);
        EXPECT_EQ(write_some(run, props->pipe[0][1], "x", 1), 1);
        EXPECT_EQ(await(run, ops, 2, 2), 0);
        EXPECT_EQ(ops[first].result, 0);
        EXPECT_EQ(ops[!first].result, 1);
        EXPECT_EQ(byte, 'x');
    }
    return 0;
}

static int what_need_not_be_done_stays_in_flight(struct xb_run *run, const struct props *props)
{
    char a = 0, b = 0;
    struct xb_io_op ops[3] = {
        read_op(props->pipe[0][0], &a), /* no data yet */
        { .kind = XB_IO_SLEEP, .sleep_ns = 100000 },
        read_op(props->pipe[1][0], &b), /* no data yet */
    };
    EXPECT_EQ(await(run, ops, 3, 0), 0);
    EXPECT_EQ(ops[0].state, XB_IO_IN_FLIGHT);
    EXPECT_EQ(await(run, ops, 3, 1), 0);
    EXPECT_EQ(ops[0].state, XB_IO_IN_FLIGHT);
    EXPECT_EQ(ops[1].state, XB_IO_DONE);
    EXPECT_EQ(ops[2].state, XB_IO_IN_FLIGHT);
    /* Other operations of the same worker come and go meanwhile. */
    EXPECT_EQ(write_some(run, props->pipe[1][1], "b", 1), 1);
    EXPECT_EQ(sleep_for(run, 100000), 0);
    EXPECT_EQ(await(run, ops, 3, 2), 0);
    EXPECT_EQ(ops[0].state, XB_IO_IN_FLIGHT);
    EXPECT_EQ(ops[2].state, XB_IO_DONE);
    EXPECT_EQ(b, 'b');
    /* A slot is used again while its neighbour is still in flight. */
    ops[2].state = XB_IO_NEW;
    EXPECT_EQ(write_some(run, props->pipe[1][1], "c", 1), 1);
    EXPECT_EQ(await(run, ops, 3, 2), 0);
    EXPECT_EQ(b, 'c');
    /* It is also used again where nothing has to be waited for, and ends during another await. */
    ops[2].state = XB_IO_NEW;
    EXPECT_EQ(await(run, ops, 3, 1), 0);
    EXPECT_EQ(write_some(run, props->pipe[1][1], "d", 1), 1);
    struct xb_io_op nap = { .kind = XB_IO_SLEEP, .sleep_ns = 1000000 };
    EXPECT_EQ(await(run, &nap, 1, 1), 0);
    EXPECT_EQ(nap.state, XB_IO_DONE);
    EXPECT_EQ(await(run, ops, 3, 2), 0);
    EXPECT_EQ(b, 'd');
    EXPECT_EQ(write_some(run, props->pipe[0][1], "a", 1), 1);
    EXPECT_EQ(await(run, ops, 3, 3), 0);
    EXPECT_EQ(ops[0].result, 1);
    EXPECT_EQ(a, 'a');
    return 0;
}

/* Two workers fill the depth; what one has done must not count for the other. */
static int keeps_many_operations_in_flight(struct xb_run *run, const struct props *props)
{
    enum { MINE = DEPTH / 2 };
    uint32_t first = run->params->index * MINE;
    char buf[MINE] = "";
    struct xb_io_op ops[MINE];
    for (uint32_t i = 0; i < MINE; i++)
        ops[i] = read_op(props->pipe[first + i][0], &buf[i]);
    EXPECT_EQ(await(run, ops, MINE, 0), 0);
    for (uint32_t i = 0; i < MINE; i++) {
        uint32_t which = MINE - 1 - i;
        EXPECT_EQ(write_some(run, props->pipe[first + which][1], &"0123456789abcdef"[which], 1), 1);
        EXPECT_EQ(await(run, ops, MINE, i + 1), 0);
        EXPECT_EQ(ops[which].state, XB_IO_DONE);
        if (which)
            EXPECT_EQ(ops[which - 1].state, XB_IO_IN_FLIGHT);
    }
    EXPECT(memcmp(buf, "0123456789abcdef", MINE) == 0);
    return 0;
}

static int a_socket_goes_both_ways_at_once(struct xb_run *run, const struct props *props)
{
    char in = 0, out = 'o', echo = 0;
    int near = props->pair[0], far = props->pair[1];
    struct xb_io_op ops[2] = {
        { .kind = XB_IO_RECV, .fd = near, .buf = &in, .len = 1, .offset = XB_IO_STREAM },
        { .kind = XB_IO_SEND, .fd = near, .buf = &out, .len = 1, .offset = XB_IO_STREAM },
    };
    EXPECT_EQ(await(run, ops, 2, 1), 0);
    EXPECT_EQ(ops[0].state, XB_IO_IN_FLIGHT);
    EXPECT_EQ(ops[1].result, 1);
    EXPECT_EQ(move(run, XB_IO_RECV, far, &echo, 1, XB_IO_STREAM), 1);
    EXPECT_EQ(move(run, XB_IO_SEND, far, &echo, 1, XB_IO_STREAM), 1);
    EXPECT_EQ(await(run, ops, 2, 2), 0);
    EXPECT_EQ(in, 'o');
    return 0;
}

/* An engine that remembers descriptors has to forget those it closed. */
static int a_descriptor_number_can_be_used_again(struct xb_run *run, const struct props *props)
{
    (void)props;
    for (int round = 0; round < 3; round++) {
        int ends[2];
        char byte = 0;
        EXPECT_EQ(pipe(ends), 0);
        struct xb_io_op op = read_op(ends[0], &byte);
        EXPECT_EQ(await(run, &op, 1, 0), 0);
        EXPECT_EQ(op.state, XB_IO_IN_FLIGHT);
        EXPECT_EQ(write_some(run, ends[1], "y", 1), 1);
        EXPECT_EQ(await(run, &op, 1, 1), 0);
        EXPECT_EQ(byte, 'y');
        EXPECT_EQ(do_with(run, XB_IO_CLOSE, ends[0]), 0);
        EXPECT_EQ(do_with(run, XB_IO_CLOSE, ends[1]), 0);
    }
    return 0;
}

/* Kernels fill in what is theirs; the engine's own words may hold anything, such as what an earlier
 * await left in them. Here the operation is started by an await that has not to wait for it, and ends
 * during another. */
static int what_the_scratch_words_hold_does_not_matter(struct xb_run *run,
                                                       const struct props *props)
{
    char byte = 0;
    struct xb_io_op op = read_op(props->pipe[0][0], &byte);
    memset(op.engine, 0xa5, sizeof op.engine);
    EXPECT_EQ(await(run, &op, 1, 0), 0);
    EXPECT_EQ(op.state, XB_IO_IN_FLIGHT);
    EXPECT_EQ(write_some(run, props->pipe[0][1], "x", 1), 1);
    EXPECT_EQ(sleep_for(run, 1000000), 0);
    EXPECT_EQ(await(run, &op, 1, 1), 0);
    EXPECT_EQ(op.result, 1);
    EXPECT_EQ(byte, 'x');
    return 0;
}

/* More completions at once than an engine may care to take at once. */
static int reads_much_of_a_file_at_once(struct xb_run *run, const struct props *props)
{
    enum { PARTS = 16, BYTES = 64 };
    char buf[PARTS][BYTES];
    struct xb_io_op ops[PARTS];
    EXPECT_EQ(move(run, XB_IO_WRITE, props->file, props->big, sizeof buf, 0), sizeof buf);
    for (size_t round = 0; round < 3; round++) {
        memset(buf, 0, sizeof buf);
        for (size_t i = 0; i < PARTS; i++)
            ops[i] = (struct xb_io_op){ .kind = XB_IO_READ,
                                        .fd = props->file,
                                        .buf = buf[i],
                                        .len = BYTES,
                                        .offset = (int64_t)(i * BYTES) };
        for (size_t enough = round ? 1 : PARTS; enough <= PARTS; enough++)
            EXPECT_EQ(await(run, ops, PARTS, enough), 0);
        for (size_t i = 0; i < PARTS; i++) {
            EXPECT_EQ(ops[i].state, XB_IO_DONE);
            EXPECT_EQ(ops[i].result, BYTES);
        }
        EXPECT(memcmp(buf, props->big, sizeof buf) == 0);
    }
    return 0;
}

/* What is kept is the place, not what stands there; what was not kept works beside it. */
static int what_is_kept_is_read_and_written_as_before(struct xb_run *run, const struct props *props)
{
    enum { ALL = 20000 };
    char *kept = calloc(1, ALL), other[8] = "";
    EXPECT(kept);
    uint32_t promise = xb_io_keep(run->io, kept, ALL);
    EXPECT_EQ(xb_io_keep(run->io, other, sizeof other) != 0, promise != 0); /* more than one */
    for (size_t at = 100; at < ALL; at += 7000) {
        memcpy(kept + at, props->big + at, 900);
        struct xb_io_op op = { .kind = XB_IO_WRITE,
                               .fd = props->file,
                               .buf = kept + at,
                               .len = 900,
                               .kept = promise,
                               .offset = (int64_t)at };
        EXPECT_EQ(xb_await(run->io, &op), 900);
        op.kind = XB_IO_READ;
        op.buf = kept;
        op.len = 64;
        EXPECT_EQ(xb_await(run->io, &op), 64);
        EXPECT(memcmp(kept, props->big + at, 64) == 0);
        EXPECT_EQ(move(run, XB_IO_READ, props->file, other, 8, (int64_t)at), 8);
        EXPECT(memcmp(other, props->big + at, 8) == 0);
    }
    struct xb_io_op op = { .kind = XB_IO_WRITE,
                           .fd = props->pipe[0][1],
                           .buf = kept,
                           .len = 5,
                           .kept = promise,
                           .offset = XB_IO_STREAM };
    EXPECT_EQ(xb_await(run->io, &op), 5);
    op.kind = XB_IO_READ;
    op.fd = props->pipe[0][0];
    op.buf = kept + ALL - 5;
    EXPECT_EQ(xb_await(run->io, &op), 5);
    EXPECT(memcmp(kept, kept + ALL - 5, 5) == 0);
    return 0; /* `kept` stays, as promised; the cell's process ends */
}

/* An engine has room for so many; the rest is as if nothing had been promised. */
static int any_number_of_buffers_can_be_kept(struct xb_run *run, const struct props *props)
{
    enum { MANY = 3000 };
    char *bytes = calloc(MANY, 1);
    EXPECT(bytes);
    EXPECT_EQ(move(run, XB_IO_WRITE, props->file, props->big, 8, 0), 8);
    for (int i = 0; i < MANY; i++) {
        uint32_t promise = xb_io_keep(run->io, bytes + i, 1);
        if (i % 100 && i < MANY - 1)
            continue;
        struct xb_io_op op = { .kind = XB_IO_READ,
                               .fd = props->file,
                               .buf = bytes + i,
                               .len = 1,
                               .kept = promise,
                               .offset = 1 };
        EXPECT_EQ(xb_await(run->io, &op), 1);
        EXPECT_EQ(bytes[i], props->big[1]);
    }
    return 0;
}

/* One edge may stand for several connections, and several may wait for them. */
static int several_accept_from_one_listener(struct xb_run *run, const struct props *props)
{
    enum { N = 5 };
    struct xb_io_op ops[N];
    int fd[N];
    for (int i = 0; i < N; i++)
        ops[i] = (struct xb_io_op){ .kind = XB_IO_ACCEPT, .fd = props->listener };
    EXPECT_EQ(await(run, ops, N, 0), 0);
    for (int i = 0; i < N; i++) {
        EXPECT_EQ(ops[i].state, XB_IO_IN_FLIGHT);
        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(connect(fd[i], (const struct sockaddr *)&props->address, sizeof props->address),
                  0);
    }
    EXPECT_EQ(await(run, ops, N, N), 0);
    for (int i = 0; i < N; i++) {
        EXPECT(ops[i].result >= 0);
        EXPECT_EQ(do_with(run, XB_IO_CLOSE, (int)ops[i].result), 0);
        EXPECT_EQ(do_with(run, XB_IO_CLOSE, fd[i]), 0);
    }
    return 0;
}

/* A short receive says that nothing is left, but for the end of the stream. */
static int an_end_behind_a_short_receive_is_seen(struct xb_run *run, const struct props *props)
{
    (void)props;
    for (int late = 0; late < 2; late++) {
        int pair[2];
        char buf[8];
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        EXPECT_EQ(move(run, XB_IO_SEND, pair[1], (void *)"abc", 3, XB_IO_STREAM), 3);
        if (!late)
            EXPECT_EQ(do_with(run, XB_IO_CLOSE, pair[1]), 0);
        EXPECT_EQ(move(run, XB_IO_RECV, pair[0], buf, sizeof buf, XB_IO_STREAM), 3);
        if (late)
            EXPECT_EQ(do_with(run, XB_IO_CLOSE, pair[1]), 0);
        EXPECT_EQ(move(run, XB_IO_RECV, pair[0], buf, sizeof buf, XB_IO_STREAM), 0);
        EXPECT_EQ(do_with(run, XB_IO_CLOSE, pair[0]), 0);
    }
    return 0;
}

/* A short packet is no sign that the next one is not there. */
static int a_short_packet_does_not_hide_the_next(struct xb_run *run, const struct props *props)
{
    (void)props;
    int pair[2];
    char buf[8];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(move(run, XB_IO_SEND, pair[1], (void *)"abc", 3, XB_IO_STREAM), 3);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(move(run, XB_IO_RECV, pair[0], buf, sizeof buf, XB_IO_STREAM), 3);
    EXPECT_EQ(do_with(run, XB_IO_CLOSE, pair[0]), 0);
    EXPECT_EQ(do_with(run, XB_IO_CLOSE, pair[1]), 0);
    return 0;
}

static int closing_cancels_who_waits(struct xb_run *run, const struct props *props)
{
    (void)props;
    int pair[2];
    char byte[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct xb_io_op ops[2];
    for (int i = 0; i < 2; i++)
        ops[i] = (struct xb_io_op){ .kind = XB_IO_RECV, .fd = pair[0], .buf = &byte[i], .len = 1 };
    EXPECT_EQ(await(run, ops, 2, 0), 0);
    EXPECT_EQ(ops[1].state, XB_IO_IN_FLIGHT);
    EXPECT_EQ(do_with(run, XB_IO_CLOSE, pair[0]), 0);
    EXPECT_EQ(await(run, ops, 2, 2), 0);
    EXPECT_EQ(ops[0].result, -ECANCELED);
    EXPECT_EQ(ops[1].result, -ECANCELED);
    EXPECT_EQ(do_with(run, XB_IO_CLOSE, pair[1]), 0);
    return 0;
}

/* ---- scenes: what fails ---- */

static int errors_are_results(struct xb_run *run, const struct props *props)
{
    char buf[4] = "";
    EXPECT_EQ(read_some(run, -1, buf, sizeof buf), -EBADF);
    EXPECT_EQ(read_some(run, 9999, buf, sizeof buf), -EBADF);
    EXPECT_EQ(write_some(run, props->pipe[0][0], "x", 1), -EBADF); /* the wrong end */
    EXPECT_EQ(do_with(run, XB_IO_CLOSE, -1), -EBADF);
    EXPECT_EQ(move(run, XB_IO_SEND, props->pipe[0][1], buf, 1, XB_IO_STREAM), -ENOTSOCK);
    EXPECT_EQ(do_with(run, XB_IO_ACCEPT, props->pair[0]), -EINVAL);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct xb_io_op op = { .kind = XB_IO_CONNECT,
                           .fd = fd,
                           .addr = (const struct sockaddr *)&props->refused,
                           .addr_len = sizeof props->refused };
    EXPECT_EQ(xb_await(run->io, &op), -ECONNREFUSED);
    EXPECT_EQ(do_with(run, XB_IO_CLOSE, fd), 0);
    /* After all of these the engine still works. */
    EXPECT_EQ(write_some(run, props->pipe[0][1], "x", 1), 1);
    EXPECT_EQ(read_some(run, props->pipe[0][0], buf, sizeof buf), 1);
    return 0;
}

/* Neither a pipe nor a socket may raise SIGPIPE, which would end the worker without a word. */
static int a_broken_pipe_is_a_result(struct xb_run *run, const struct props *props)
{
    int ends[2], pair[2];
    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    EXPECT_EQ(do_with(run, XB_IO_CLOSE, pair[1]), 0);
    EXPECT_EQ(move(run, XB_IO_SEND, pair[0], props->big, 1, XB_IO_STREAM), -EPIPE);
    EXPECT_EQ(do_with(run, XB_IO_CLOSE, ends[0]), 0);
    EXPECT_EQ(write_some(run, ends[1], "x", 1), -EPIPE);
    return 0;
}

/* One who waits learns of the other end's going. */
static int a_hang_up_wakes_who_waits(struct xb_run *run, const struct props *props)
{
    (void)props;
    int ends[2], pair[2];
    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    char byte;
    struct xb_io_op ops[2] = {
        read_op(ends[0], &byte),
        { .kind = XB_IO_RECV, .fd = pair[0], .buf = &byte, .len = 1, .offset = -1 },
    };
    EXPECT_EQ(await(run, ops, 2, 0), 0);
    EXPECT_EQ(do_with(run, XB_IO_CLOSE, ends[1]), 0);
    EXPECT_EQ(do_with(run, XB_IO_CLOSE, pair[1]), 0);
    EXPECT_EQ(await(run, ops, 2, 2), 0);
    EXPECT_EQ(ops[0].result, 0);
    EXPECT_EQ(ops[1].result, 0);
    return 0;
}

/* ---- each scene under each model and engine ---- */

static const struct scene scenes[] = {
    { "MovesBytesThroughAPipe", moves_bytes_through_a_pipe, 1, 0, NULL },
    { "WaitsForAWriter", waits_for_a_writer, 2, 0, NULL },
    { "WaitsForRoomInAPipe", waits_for_room_in_a_pipe, 2, 0, NULL },
    { "TalksOverTcp", talks_over_tcp, 2, 0, NULL },
    { "MovesBytesAtOffsetsOfAFile", moves_bytes_at_offsets_of_a_file, 1, FILES, NULL },
    { "RefusesFiles", refuses_files, 1, NO_FILES, NULL },
    { "SleepsNoShorterThanAsked", sleeps_no_shorter_than_asked, 2, 0, NULL },
    { "SleepsEndInOrder", sleeps_end_in_order, 3, PARKING, check_order_of_sleeps },
    { "Yields", yields, 3, 0, NULL },
    { "YieldsTakeTurns", yields, 3, PARKING, check_turns },
    { "YieldingDoesNotStarveASleeper", yielding_does_not_starve_a_sleeper, 3, 0, NULL },
    { "ManyWorkersAtOnce", many_workers_at_once, WORKERS_MAX, 0, NULL },
    { "CarriesOutAllOfAnArray", carries_out_all_of_an_array, 1, 0, NULL },
    { "AYieldInAnArrayIsOneOfItsOperations", a_yield_in_an_array_is_one_of_its_operations, 1, 0,
      NULL },
    { "WhatNeedNotBeDoneStaysInFlight", what_need_not_be_done_stays_in_flight, 1, ASYNC, NULL },
    { "KeepsManyOperationsInFlight", keeps_many_operations_in_flight, 2, ASYNC, NULL },
    { "ASocketGoesBothWaysAtOnce", a_socket_goes_both_ways_at_once, 1, ASYNC, NULL },
    { "ADescriptorNumberCanBeUsedAgain", a_descriptor_number_can_be_used_again, 1, ASYNC, NULL },
    { "WhatTheScratchWordsHoldDoesNotMatter", what_the_scratch_words_hold_does_not_matter, 1, ASYNC,
      NULL },
    { "ReadsMuchOfAFileAtOnce", reads_much_of_a_file_at_once, 1, FILES, NULL },
    { "WhatIsKeptIsReadAndWrittenAsBefore", what_is_kept_is_read_and_written_as_before, 1, FILES,
      NULL },
    { "AnyNumberOfBuffersCanBeKept", any_number_of_buffers_can_be_kept, 1, FILES, NULL },
    { "SeveralAcceptFromOneListener", several_accept_from_one_listener, 1, ASYNC, NULL },
    { "AnEndBehindAShortReceiveIsSeen", an_end_behind_a_short_receive_is_seen, 1, 0, NULL },
    { "AShortPacketDoesNotHideTheNext", a_short_packet_does_not_hide_the_next, 1, 0, NULL },
    { "ClosingCancelsWhoWaits", closing_cancels_who_waits, 1, ASYNC, NULL },
    { "ErrorsAreResults", errors_are_results, 1, 0, NULL },
    { "ABrokenPipeIsAResult", a_broken_pipe_is_a_result, 1, 0, NULL },
    { "AHangUpWakesWhoWaits", a_hang_up_wakes_who_waits, 1, ASYNC, NULL },
};

struct casting {
    const struct scene *scene;
    const struct xb_model *model;
    const struct xb_io_engine *engine;
};

static void play(const void *argument)
{
    const struct casting *casting = argument;
    struct xb_reason why = { 0 };
    if (casting->engine->probe(&why) != 0) {
        XB_SKIP("%s", why.text);
        return;
    }
    if (!notes)
        notes = xb_cell_shared(sizeof *notes);
    memset(notes, 0, sizeof *notes);
    scene = casting->scene;
    struct xb_plan plan = xb_cell_plan(&player, casting->model, scene->workers);
    plan.engine = casting->engine;
    plan.params.depth = DEPTH;
    plan.samples = 1;
    struct xb_cell_run ran;
    xb_cell_run(&plan, XB_CELL_LIMIT_NS, NULL, &ran);
    if (ran.code)
        XB_FAIL("%s", ran.why);
    else if (scene->check)
        scene->check();
    xb_cell_run_close(&ran);
}

static bool fits(const struct casting *casting)
{
    unsigned where = casting->scene->where;
    /* An engine that cannot park is one that blocks: nothing of it is ever in flight. */
    return (casting->engine->parks || !casting->model->parks) &&
           (!(where & ASYNC) || casting->engine->parks) &&
           (!(where & FILES) || casting->engine->files) &&
           (!(where & NO_FILES) || !casting->engine->files) &&
           (!(where & PARKING) || casting->model->parks);
}

/* Needed as long as the tests are: for good, and so that a leak checker can see it. */
__attribute__((used)) static struct casting *castings;

XB_TESTS(engines)
{
    enum { SCENES = sizeof scenes / sizeof scenes[0] };
    castings = calloc(SCENES * xb_builtin.n_models * xb_builtin.n_engines, sizeof *castings);
    struct casting *casting = castings;
    for (size_t s = 0; s < SCENES; s++) {
        for (size_t m = 0; m < xb_builtin.n_models; m++) {
            for (size_t e = 0; e < xb_builtin.n_engines; e++) {
                *casting =
                    (struct casting){ &scenes[s], xb_builtin.models[m], xb_builtin.engines[e] };
                if (!fits(casting))
                    continue;
                char name[256];
                snprintf(name, sizeof name, "%s__%s__%s", scenes[s].name, casting->model->name,
                         casting->engine->name);
                xb_test_add("Engines", name, __FILE__, __LINE__, play, casting++);
            }
        }
    }
}
