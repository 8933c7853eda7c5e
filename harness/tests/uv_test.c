/* SPDX-License-Identifier: BSD-3-Clause
 * Tests what the uv engine does with operations that meet on one descriptor, and with its pump. */
#include "xbtest.h"

#include "../base/clock.h"
#include "../core/registry.h"
#include "../engines/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static const struct xb_io_engine *engine;

/* Nobody is ever suspended here: tests start operations, and pump by themselves. */
static struct xb_io *open_engine(void)
{
    struct xb_reason why = { 0 };
    struct xb_io *io = NULL;
    engine = xb_find_engine(&xb_builtin, "uv");
    if (engine->probe(&why) != 0)
        XB_SKIP("%s", why.text);
    else if (engine->open(NULL, 16, &io, &why) != 0)
        XB_FAIL("%s", why.text);
    return io;
}

static struct xb_io_op stream_op(enum xb_io_kind kind, int fd, char *buf, size_t len)
{
    return (
        struct xb_io_op){ .kind = kind, .fd = fd, .buf = buf, .len = len, .offset = XB_IO_STREAM };
}

static int64_t do_one(struct xb_io *io, struct xb_io_op op)
{
    return xb_await(io, &op);
}

XB_TEST(Uv, ThoseWhoWaitForOneDescriptorAreServedInOrder)
{
    struct xb_io *io = open_engine();
    if (!io)
        return;
    int ends[2];
    char in[3] = "", out[] = "abc";
    XB_EXPECT_EQ(pipe(ends), 0);
    struct xb_io_op reads[3];
    for (int i = 0; i < 3; i++) {
        reads[i] = stream_op(XB_IO_READ, ends[0], &in[i], 1);
        XB_EXPECT_EQ(io->await(io, &reads[i], 1, 0), 0);
    }
    XB_EXPECT_EQ(do_one(io, stream_op(XB_IO_WRITE, ends[1], out, 1)), 1);
    XB_EXPECT_EQ(io->await(io, reads, 3, 1), 0);
    XB_EXPECT_EQ(reads[0].state, XB_IO_DONE);
    XB_EXPECT_EQ(reads[1].state, XB_IO_IN_FLIGHT);
    /* A fourth comes while bytes are there for two: it must not overtake. */
    char late = 0;
    struct xb_io_op fourth = stream_op(XB_IO_READ, ends[0], &late, 1);
    XB_EXPECT_EQ(do_one(io, stream_op(XB_IO_WRITE, ends[1], out + 1, 2)), 2);
    XB_EXPECT_EQ(io->await(io, &fourth, 1, 0), 0);
    XB_EXPECT_EQ(io->await(io, reads, 3, 3), 0);
    XB_EXPECT(memcmp(in, "abc", 3) == 0);
    XB_EXPECT_EQ(fourth.state, XB_IO_IN_FLIGHT);
    XB_EXPECT_EQ(do_one(io, stream_op(XB_IO_CLOSE, ends[1], NULL, 0)), 0);
    XB_EXPECT_EQ(io->await(io, &fourth, 1, 1), 0);
    XB_EXPECT_EQ(fourth.result, 0);
    close(ends[0]);
    engine->close(io);
}

XB_TEST(Uv, ClosingADescriptorCancelsWhatWaitsForIt)
{
    struct xb_io *io = open_engine();
    if (!io)
        return;
    int pair[2];
    char byte, full[4096] = "";
    XB_EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct xb_io_op ops[4] = {
        stream_op(XB_IO_RECV, pair[0], &byte, 1),
        stream_op(XB_IO_RECV, pair[0], &byte, 1),
        stream_op(XB_IO_SEND, pair[0], full, sizeof full),
        stream_op(XB_IO_CLOSE, pair[0], NULL, 0),
    };
    XB_EXPECT_EQ(io->await(io, ops, 2, 0), 0);
    do {
        ops[2].state = XB_IO_NEW;
        XB_EXPECT_EQ(io->await(io, &ops[2], 1, 0), 0);
    } while (ops[2].state == XB_IO_DONE && ops[2].result > 0);
    XB_EXPECT_EQ(ops[2].state, XB_IO_IN_FLIGHT);
    XB_EXPECT_EQ(io->await(io, ops, 4, 4), 0);
    for (int i = 0; i < 3; i++)
        XB_EXPECT_EQ(ops[i].result, -ECANCELED);
    XB_EXPECT_EQ(ops[3].result, 0);
    XB_EXPECT_EQ(fcntl(pair[0], F_GETFD), -1);
    XB_EXPECT_EQ(engine->pump(io, -1), -EDEADLK);
    close(pair[1]);
    engine->close(io);
}

/* More than the pool has threads: some are cancelled, some are just being carried out. Each ends,
 * and the descriptor is closed after all of them. */
XB_TEST(Uv, ClosingAFileEndsItsRequestsFirst)
{
    enum { READS = 64, BYTES = 1 << 20 };
    struct xb_io *io = open_engine();
    if (!io)
        return;
    char path[512];
    snprintf(path, sizeof path, "%s/file", xb_test_folder());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    XB_EXPECT_EQ(ftruncate(fd, BYTES), 0);
    char *buf = malloc(READS * (size_t)BYTES);
    struct xb_io_op ops[READS + 1];
    for (int i = 0; i < READS; i++)
        ops[i] = (struct xb_io_op){
            .kind = XB_IO_READ, .fd = fd, .buf = buf + i * (size_t)BYTES, .len = BYTES
        };
    XB_EXPECT_EQ(io->await(io, ops, READS, 0), 0);
    ops[READS] = stream_op(XB_IO_CLOSE, fd, NULL, 0);
    XB_EXPECT_EQ(io->await(io, ops, READS + 1, READS + 1), 0);
    for (int i = 0; i < READS; i++)
        if (ops[i].result != BYTES && ops[i].result != -ECANCELED)
            XB_FAIL("read %d gave %lld", i, (long long)ops[i].result);
    XB_EXPECT_EQ(ops[READS].result, 0);
    XB_EXPECT_EQ(fcntl(fd, F_GETFD), -1);
    free(buf);
    engine->close(io);
}

XB_TEST(Uv, AFileIsReadAsAStreamToo)
{
    struct xb_io *io = open_engine();
    if (!io)
        return;
    char path[512], buf[8] = "", text[] = "two words";
    snprintf(path, sizeof path, "%s/file", xb_test_folder());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    XB_EXPECT_EQ(do_one(io, stream_op(XB_IO_WRITE, fd, text, 9)), 9);
    XB_EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
    XB_EXPECT_EQ(do_one(io, stream_op(XB_IO_READ, fd, buf, 4)), 4);
    XB_EXPECT_EQ(do_one(io, stream_op(XB_IO_READ, fd, buf + 4, 4)), 4);
    XB_EXPECT(memcmp(buf, "two word", 8) == 0);
    XB_EXPECT_EQ(do_one(io, stream_op(XB_IO_CLOSE, fd, NULL, 0)), 0);
    engine->close(io);
}

XB_TEST(Uv, APumpEndsAtItsTimeoutAndKnowsWhenNothingCanCome)
{
    struct xb_io *io = open_engine();
    if (!io)
        return;
    int ends[2];
    char byte;
    XB_EXPECT_EQ(pipe(ends), 0);
    XB_EXPECT_EQ(engine->pump(io, 0), 0);
    XB_EXPECT_EQ(engine->pump(io, 1000000), 0);
    XB_EXPECT_EQ(engine->pump(io, -1), -EDEADLK);
    struct xb_io_op op = stream_op(XB_IO_READ, ends[0], &byte, 1);
    XB_EXPECT_EQ(io->await(io, &op, 1, 0), 0);
    XB_EXPECT_EQ(engine->pump(io, 0), 0);
    uint64_t begin_ns = xb_now_ns();
    XB_EXPECT_EQ(engine->pump(io, 2500000), 0);
    XB_EXPECT(xb_now_ns() - begin_ns >= 2000000); /* the loop's clock is in whole milliseconds */
    XB_EXPECT_EQ(op.state, XB_IO_IN_FLIGHT);
    XB_EXPECT_EQ(do_one(io, stream_op(XB_IO_CLOSE, ends[0], NULL, 0)), 0);
    XB_EXPECT_EQ(op.result, -ECANCELED);
    XB_EXPECT_EQ(engine->pump(io, -1), -EDEADLK);
    close(ends[1]);
    engine->close(io);
}

/* Handles are used again, and given back at the end: a leak checker sees them. */
XB_TEST(Uv, ManySleepsMayBeInFlight)
{
    enum { SLEEPS = 20000 };
    struct xb_io *io = open_engine();
    if (!io)
        return;
    struct xb_io_op *ops = calloc(SLEEPS, sizeof *ops);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < SLEEPS; i++)
            ops[i] = (struct xb_io_op){ .kind = XB_IO_SLEEP,
                                        .sleep_ns = (uint64_t)(i * 7919 % SLEEPS) * 500 };
        XB_EXPECT_EQ(io->await(io, ops, SLEEPS, SLEEPS), 0);
        for (int i = 0; i < SLEEPS; i++)
            if (ops[i].state != XB_IO_DONE || ops[i].result != 0)
                XB_FAIL("sleep %d: %lld", i, (long long)ops[i].result);
    }
    XB_EXPECT_EQ(engine->pump(io, -1), -EDEADLK);
    free(ops);
    engine->close(io);
}

/* connect(2) says EAGAIN where a Unix listener has no room: it is not the end of it. */
XB_TEST(Uv, ConnectingToAUnixSocketWaitsForRoom)
{
    struct xb_io *io = open_engine();
    if (!io)
        return;
    enum { CALLERS = 4 };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* An address of the kernel's choice: autobind, unix(7). */
    XB_EXPECT_EQ(bind(listener, (struct sockaddr *)&address, sizeof address.sun_family), 0);
    socklen_t bytes = sizeof address;
    XB_EXPECT_EQ(getsockname(listener, (struct sockaddr *)&address, &bytes), 0);
    XB_EXPECT_EQ(listen(listener, 0), 0);
    struct xb_io_op ops[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        ops[i] = (struct xb_io_op){ .kind = XB_IO_CONNECT,
                                    .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                                    .addr = (struct sockaddr *)&address,
                                    .addr_len = bytes };
    XB_EXPECT_EQ(io->await(io, ops, CALLERS, 1), 0);
    XB_EXPECT_EQ(ops[CALLERS - 1].state, XB_IO_IN_FLIGHT);
    for (int i = 0; i < CALLERS; i++) {
        int64_t fd = do_one(io, stream_op(XB_IO_ACCEPT, listener, NULL, 0));
        XB_EXPECT(fd >= 0);
        close((int)fd);
    }
    XB_EXPECT_EQ(io->await(io, ops, CALLERS, CALLERS), 0);
    for (int i = 0; i < CALLERS; i++) {
        XB_EXPECT_EQ(ops[i].result, 0);
        close(ops[i].fd);
    }
    close(listener);
    engine->close(io);
}
