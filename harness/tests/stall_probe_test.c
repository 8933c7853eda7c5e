/* The stall probe on programs of our own whose bound is known. */
#include "harness/base/clock.h"
#include "harness/core/registry.h"
#include "harness/probes/probe.h"
#include "harness/tests/clue.h"
#include "harness/tests/xbtest.h"
#include "kernels/prng.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Sizes that leave no doubt where 24 KiB and 16 MiB lie. */
static const struct xb_capacity capacity = {
    .bytes = { [XB_LEVEL_L1] = 64 << 10, [XB_LEVEL_L2] = 1 << 20, [XB_LEVEL_LLC] = 4 << 20 }
};

static const struct xb_probe *find_stall(void)
{
    for (size_t i = 0; i < xb_builtin.n_probes; i++)
        if (strcmp(xb_builtin.probes[i]->name, "stall") == 0)
            return xb_builtin.probes[i];
    return NULL;
}

/* Follows pointers for ever. A sanitizer would have it wait for its own tables. */
__attribute__((noreturn, no_sanitize("address", "thread", "undefined"))) static void chase(void *at)
{
    for (;; at = *(void *volatile *)at)
        ;
}

/* A child that chases a random circle of pointers through `bytes` until it is killed. Returns once it
 * does: laying the circle out would be seen as well. */
static pid_t spawn_chase(size_t bytes)
{
    enum { LINE = 64 };
    int ready[2];
    char word = 0;
    if (pipe(ready) != 0)
        return -1;
    pid_t pid = fork();
    if (pid != 0) {
        close(ready[1]);
        XB_EXPECT(pid > 0 && read(ready[0], &word, 1) == 1);
        close(ready[0]);
        return pid;
    }
    size_t n = bytes / LINE;
    char *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t *order = malloc(n * sizeof *order);
    if (data == MAP_FAILED || !order)
        _exit(1);
    uint64_t state = 1;
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t i = n - 1; i > 0; i--) { /* Sattolo, IPL 22(6), 1986: one circle */
        size_t j = xb_prng_below(&state, i);
        uint32_t other = order[i];
        order[i] = order[j];
        order[j] = other;
    }
    for (size_t i = 0; i < n; i++)
        *(void **)(data + i * LINE) = data + (size_t)order[i] * LINE;
    if (write(ready[1], &word, 1) != 1)
        _exit(1);
    chase(data);
}

/* Watches `pid` for one phase of `looks` polls, some 5 ms apart. False: the test has
 * been skipped. */
static bool watch(pid_t pid, uint64_t looks, struct xb_findings *out)
{
    const struct xb_probe *probe = find_stall();
    struct xb_scene scene = { .root = pid, .capacity = &capacity };
    struct xb_reason why = { 0 };
    void *opened = NULL;
    *out = (struct xb_findings){ 0 };
    XB_EXPECT(probe != NULL);
    int err = probe ? probe->probe(&why) : -ENOENT;
    if (!err)
        err = probe->open(&scene, &opened, &why);
    if (err) {
        XB_SKIP("%s", why.text);
        return false;
    }
    XB_EXPECT_EQ(probe->begin(opened, xb_now_ns()), 0);
    for (uint64_t i = 0; i < looks; i++) {
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
        XB_EXPECT_EQ(probe->poll(opened, xb_now_ns()), 0);
    }
    XB_EXPECT_EQ(probe->end(opened, xb_now_ns(), out, &why), 0);
    probe->close(opened);
    return true;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

XB_TEST(StallProbe, PartsOfUserTimeAddUpToOne)
{
    struct xb_findings findings;
    pid_t pid = spawn_chase(24 << 10);
    if (watch(pid, 40, &findings) && findings.samples) {
        double sum = 0;
        for (size_t i = 0; i < findings.n_parts; i++) {
            XB_EXPECT_EQ(findings.part[i].of, XB_WHOLE_USER);
            XB_EXPECT(findings.part[i].share >= 0);
            sum += findings.part[i].share;
        }
        XB_EXPECT_NEAR(sum, 1, 1e-9);
        XB_EXPECT(findings.weight[XB_WHOLE_USER] > 0 && findings.weight[XB_WHOLE_USER] <= 1);
        XB_EXPECT_EQ(findings.weight[XB_WHOLE_KERNEL], 0);
        /* 24 KiB are in the first cache. */
        XB_EXPECT(bound_share(&findings, XB_WHOLE_USER, XB_BOUND_MEMORY) < 0.1);
    }
    end(pid);
}

XB_TEST(StallProbe, AChaseBeyondTheCachesIsBoundByMemoryAndItsSizeIsTold)
{
    struct xb_findings findings;
    pid_t pid = spawn_chase(16 << 20);
    if (watch(pid, 100, &findings) && findings.samples >= 500) {
        /* In a build without optimisation a part of it is on the stack. */
        XB_EXPECT(bound_share(&findings, XB_WHOLE_USER, XB_BOUND_MEMORY) > 0.5);
        XB_EXPECT_NEAR(clue_of(&findings, "working_set_bytes") / (16 << 20), 1, 0.25);
        XB_EXPECT(clue_of(&findings, "hottest_share") > 0.2);
    }
    end(pid);
}

/* Sends to itself for ever. */
static pid_t spawn_sender(void)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    int end[2];
    char byte = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, end) != 0)
        _exit(1);
    while (send(end[0], &byte, 1, 0) == 1 && recv(end[1], &byte, 1, 0) == 1)
        ;
    _exit(1);
}

XB_TEST(StallProbe, CallsOfSocketsAreIoThoughNoAccountCountsThem)
{
    struct xb_findings findings;
    pid_t pid = spawn_sender();
    if (watch(pid, 20, &findings) && findings.weight[XB_WHOLE_KERNEL] > 0.3) {
        double io = 0;
        for (size_t i = 0; i < findings.n_parts; i++)
            if (findings.part[i].of == XB_WHOLE_KERNEL && findings.part[i].bound == XB_BOUND_IO &&
                findings.part[i].level == XB_LEVEL_NETWORK)
                io += findings.part[i].share;
        XB_EXPECT(io > 0.8);
    }
    end(pid);
}

XB_TEST(StallProbe, OfAProgramThatIsDeadItHasNothingToSay)
{
    struct xb_findings findings;
    pid_t pid = spawn_chase(24 << 10);
    const struct xb_probe *probe = find_stall();
    struct xb_scene scene = { .root = pid, .capacity = &capacity };
    struct xb_reason why = { 0 };
    void *opened = NULL;
    if (!probe || probe->open(&scene, &opened, &why) != 0) {
        XB_SKIP("%s", why.text);
        end(pid);
        return;
    }
    end(pid);
    XB_EXPECT_EQ(probe->begin(opened, xb_now_ns()), 0);
    XB_EXPECT_EQ(probe->poll(opened, xb_now_ns()), 0);
    findings = (struct xb_findings){ 0 };
    XB_EXPECT_EQ(probe->end(opened, xb_now_ns(), &findings, &why), 0);
    XB_EXPECT_EQ(findings.samples, 0);
    XB_EXPECT_EQ(findings.n_parts, 0);
    probe->close(opened);
    XB_EXPECT(probe->open(&scene, &opened, &why) != 0);
    XB_EXPECT_HAS(why.text, "no process");
    probe->close(NULL);
}
