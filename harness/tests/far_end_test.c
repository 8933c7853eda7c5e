/* SPDX-License-Identifier: BSD-3-Clause
 * The probe of far ends, on a connection to a child of this process, and on one to itself. */
#include "../base/child.h"
#include "../base/clock.h"
#include "../probes/probe.h"
#include "clue.h"
#include "xbtest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern const struct xb_probe xb_probe_far_end;

/* Listens on a free port of the loopback; its address in `out`. */
static int listen_here(struct sockaddr_in *out)
{
    socklen_t bytes = sizeof *out;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *out = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (fd < 0 || bind(fd, (struct sockaddr *)out, sizeof *out) != 0 || listen(fd, 4) != 0 ||
        getsockname(fd, (struct sockaddr *)out, &bytes) != 0)
        XB_FAIL("no socket to listen on: %s", strerror(errno));
    return fd;
}

/* One phase of one look at this process, while `spend_ns` of CPU time go by in whoever serves. */
static struct xb_findings look_at_self(int to_server, uint64_t spend_ns)
{
    struct xb_findings findings = { 0 };
    struct xb_reason why = { 0 };
    const struct xb_task self = { getpid(), getpid() };
    const struct xb_scene scene = { .root = getpid(), .tasks = &self, .n_tasks = 1 };
    void *probe = NULL;
    char byte = 0;
    XB_EXPECT_EQ(xb_probe_far_end.probe(&why), 0);
    XB_EXPECT_EQ(xb_probe_far_end.open(&scene, &probe, &why), 0);
    XB_EXPECT_EQ(xb_probe_far_end.begin(probe, xb_now_ns()), 0);
    XB_EXPECT_EQ(xb_probe_far_end.poll(probe, xb_now_ns()), 0);
    if (spend_ns) {
        XB_EXPECT_EQ(write(to_server, &spend_ns, sizeof spend_ns), sizeof spend_ns);
        XB_EXPECT_EQ(read(to_server, &byte, 1), 1);
    }
    XB_EXPECT_EQ(xb_probe_far_end.end(probe, xb_now_ns(), &findings, &why), 0);
    xb_probe_far_end.close(probe);
    XB_EXPECT_EQ(findings.n_parts, 0);
    return findings;
}

static _Noreturn void serve(int listening)
{
    xb_child_begin();
    int fd = accept(listening, NULL, NULL);
    uint64_t ns;
    while (read(fd, &ns, sizeof ns) == sizeof ns) {
        uint64_t until_ns = xb_thread_cpu_ns() + ns;
        while (xb_thread_cpu_ns() < until_ns)
            ;
        if (write(fd, "x", 1) != 1)
            break;
    }
    _exit(0);
}

XB_TEST(FarEnd, HasTheCpuTimeOfWhoListensAtTheOtherEnd)
{
    struct sockaddr_in address;
    int listening = listen_here(&address);
    pid_t pid = fork();
    if (pid == 0)
        serve(listening);
    close(listening); /* now only the child has it */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    XB_EXPECT_EQ(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    struct xb_findings findings = look_at_self(fd, 20000000);
    XB_EXPECT(clue_of(&findings, "far_end_cpus") > 0);
    XB_EXPECT(clue_of(&findings, "far_end_cpus") < 1.5);
    XB_EXPECT(clue_of(&findings, "far_end_threads") >= 1); /* ThreadSanitizer adds its own */
    close(fd);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

XB_TEST(FarEnd, IsNotTheProgramItself)
{
    struct sockaddr_in address;
    int listening = listen_here(&address), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    XB_EXPECT_EQ(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    struct xb_findings findings = look_at_self(fd, 0);
    XB_EXPECT(isnan(clue_of(&findings, "far_end_cpus")));
    close(fd);
    close(listening);
}
