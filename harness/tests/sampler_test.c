/* Sampling programs of our own: what comes of it, and what is refused. */
#include "harness/base/pages.h"
#include "harness/base/skid.h"
#include "harness/base/stalls.h"
#include "harness/base/symbol.h"
#include "harness/tests/xbtest.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_NS = 200000, SET = 4 << 20 };

/* Reads random words of SET bytes at `at` for ever. A sanitizer would have it wait for its own tables. */
__attribute__((noreturn, no_sanitize("address", "thread", "undefined"))) static void
read_on(volatile const uint64_t *at)
{
    for (uint64_t x = 1;;) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        (void)at[(x >> 30) % (SET / 8)];
    }
}

/* A child that does so until it is killed. */
static pid_t spawn_reader(const uint64_t *at)
{
    pid_t pid = fork();
    if (pid == 0)
        read_on(at);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void count(void *context, const struct xb_sample *sample)
{
    (void)sample;
    ++*(size_t *)context;
}

XB_TEST(Sampler, WithoutAProcessItSaysSo)
{
    struct xb_sampler *sampler;
    struct xb_reason why = { 0 };
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    XB_EXPECT_EQ(xb_sampler_open(pid, PERIOD_NS, &sampler, &why), -ESRCH);
    XB_EXPECT_HAS(why.text, "no process");
    xb_sampler_close(NULL);
}

XB_TEST(Sampler, AnotherUsersProcessIsRefusedWithTheRemedy)
{
    if (geteuid() == 0 && seteuid(65534) != 0) {
        XB_SKIP("cannot be another user");
        return;
    }
    struct xb_sampler *sampler;
    struct xb_reason why = { 0 };
    int err = xb_sampler_open(1, PERIOD_NS, &sampler, &why);
    if (geteuid() == 65534 && seteuid(0) != 0)
        abort();
    XB_EXPECT_EQ(err, -EACCES);
    XB_EXPECT_HAS(why.text, "perf_event_paranoid");
    if (!err)
        xb_sampler_close(sampler);
}

XB_TEST(Sampler, TakesNothingWhileItIsOff)
{
    void *set = mmap(NULL, SET, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pid_t pid = spawn_reader(set);
    struct xb_sampler *sampler;
    struct xb_reason why;
    if (xb_sampler_open(pid, PERIOD_NS, &sampler, &why) != 0)
        XB_SKIP("%s", why.text);
    else {
        size_t n = 0;
        struct xb_sampler_takers takers = { .sample = count, .context = &n };
        for (int i = 0; i < 5; i++)
            nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
        xb_sampler_drain(sampler, &takers);
        XB_EXPECT_EQ(n, 0);
        XB_EXPECT_EQ(xb_sampler_start(sampler), 0);
        for (int i = 0; i < 2000 && n < 20; i++) {
            nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
            xb_sampler_drain(sampler, &takers);
        }
        XB_EXPECT(n >= 20);
        XB_EXPECT_EQ(xb_sampler_stop(sampler), 0);
        xb_sampler_drain(sampler, &takers);
        XB_EXPECT_EQ(xb_sampler_counts(sampler).samples, n);
        XB_EXPECT(xb_sampler_counts(sampler).threads >= 1); /* a sanitizer may have its own */
        size_t before = n;
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
        xb_sampler_drain(sampler, &takers);
        XB_EXPECT_EQ(n, before);
        xb_sampler_close(sampler);
    }
    end(pid);
    munmap(set, SET);
}

XB_TEST(Stalls, KnownAddressesOfAReaderLieInWhatItReads)
{
    char *set = mmap(NULL, SET, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pid_t pid = spawn_reader((uint64_t *)set);
    struct xb_sampler *sampler = NULL;
    struct xb_stalls *stalls = NULL;
    struct xb_skid_report skid;
    struct xb_reason why;
    size_t n = 0, n_sites, known = 0, inside = 0;
    if (xb_skid_calibrate(&skid, &why) != 0 ||
        xb_sampler_open(pid, PERIOD_NS, &sampler, &why) != 0 ||
        xb_stalls_open(skid.skid, &stalls, &why) != 0) {
        XB_SKIP("%s", why.text);
        goto close;
    }
    xb_stalls_begin(stalls);
    xb_sampler_start(sampler);
    for (int i = 0; i < 2000 && n < 300; i++) {
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
        xb_stalls_drain(stalls, sampler);
        xb_stalls_samples(stalls, &n);
    }
    const struct xb_stalled *sample = xb_stalls_samples(stalls, &n);
    const struct xb_stall_site *sites = xb_stalls_sites(stalls, &n_sites);
    XB_EXPECT(n >= 300);
    size_t of_sites = 0;
    for (size_t i = 0; i < n_sites; i++)
        of_sites += sites[i].samples;
    XB_EXPECT_EQ(of_sites, n);
    for (size_t i = 0; i < n; i++) {
        XB_EXPECT(sample[i].site < n_sites);
        bool counts =
            sample[i].fate == XB_FATE_KNOWN && sites[sample[i].site].stall.kind == XB_STALL_LOAD;
        known += counts;
        inside += counts && sample[i].address >= (uintptr_t)set &&
                  sample[i].address < (uintptr_t)set + SET;
    }
    /* Built without optimisation it reads its own stack as well. */
    XB_EXPECT(inside > 0 && known > 0);
close:
    xb_stalls_close(stalls);
    xb_sampler_close(sampler);
    end(pid);
    munmap(set, SET);
}

#if defined(__x86_64__)
XB_TEST(Stalls, TheSameCodeOfAnotherProcessIsKnownWhereItLies)
{
    enum { CODE = 0x400000, APART = 0x7000 };
    /* nop, by which chains of instructions fall in step; mov 0x7f0000(%rip),%rcx; ret */
    static const uint8_t code[] = { 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
                                    0x48, 0x8b, 0x0d, 0,    0,    0x7f, 0,    0xc3 };
    uint8_t other[sizeof code];
    memcpy(other, code, sizeof code);
    other[9] = 0x03; /* add */
    struct xb_stalls *stalls = NULL;
    struct xb_reason why;
    if (xb_stalls_open(XB_SKID_NEXT, &stalls, &why) != 0) {
        XB_SKIP("%s", why.text);
        return;
    }
    xb_stalls_begin(stalls);
    for (int i = 0; i < 3; i++) {
        uint64_t first = CODE + (uint64_t)i * APART;
        struct xb_sample sample = {
            .ip = first + 15, .pid = 1 << 30 | i, .tid = 1 << 30 | i, .has_registers = true
        };
        struct xb_window window = { i < 2 ? code : other, first, sizeof code };
        xb_stalls_add(stalls, &sample, &window);
    }
    size_t n;
    const struct xb_stalled *sample = xb_stalls_samples(stalls, &n);
    XB_EXPECT_EQ(n, 3);
    const struct xb_stall_site *site = xb_stalls_sites(stalls, &n);
    XB_EXPECT_EQ(n, 3);
    for (size_t i = 0; i < n; i++) {
        XB_EXPECT_EQ(site[i].stall.at, CODE + i * APART + 8);
        XB_EXPECT_EQ(sample[i].address, CODE + i * APART + 15 + 0x7f0000);
        XB_EXPECT_HAS(site[i].stall.text, i < 2 ? "mov" : "add");
    }
    xb_stalls_close(stalls);
}
#endif

XB_TEST(Code, IsReadFromTheLivingAndFromTheFilesOfTheDead)
{
    int gate[2];
    if (pipe(gate) != 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        _exit(read(gate[0], &byte, 1) != 1);
    }
    struct xb_pages *code;
    struct xb_maps maps = { 0 };
    struct xb_window window;
    uint8_t room[64];
    uint64_t at = (uintptr_t)&xb_skid_calibrate;
    XB_EXPECT_EQ(xb_pages_open(&code), 0);
    XB_EXPECT_EQ(xb_maps_read(&maps, pid), 0);
    xb_pages_window(code, NULL, pid, at, 32, 32, room, &window);
    XB_EXPECT_EQ(window.n, 64);
    XB_EXPECT_EQ(window.first, at - 32);
    XB_EXPECT_EQ(memcmp(room + 32, (const void *)(uintptr_t)at, 32), 0);
    end(pid);
    xb_pages_forget(code);
    memset(room, 0, sizeof room);
    xb_pages_window(code, NULL, pid, at, 32, 32, room, &window);
    XB_EXPECT_EQ(window.n, 0);
    xb_pages_forget(code);
    xb_pages_window(code, &maps, pid, at, 32, 32, room, &window);
    XB_EXPECT_EQ(window.n, 64);
    XB_EXPECT_EQ(memcmp(room + 32, (const void *)(uintptr_t)at, 32), 0);
    /* Nothing is mapped there, nor can it be. */
    xb_pages_window(code, &maps, pid, 64, 128, 32, room, &window);
    XB_EXPECT_EQ(window.n, 0);
    xb_pages_close(code);
    xb_maps_forget(&maps);
    close(gate[0]);
    close(gate[1]);
}

XB_TEST(Maps, NameTheFileOfAnAddress)
{
    struct xb_maps maps = { 0 };
    XB_EXPECT_EQ(xb_maps_read(&maps, getpid()), 0);
    XB_EXPECT(xb_maps_know(&maps, getpid()));
    const struct xb_mapping *mapping = xb_maps_find(&maps, getpid(), (uintptr_t)&xb_skid_calibrate);
    XB_EXPECT(mapping && mapping->is_executable);
    XB_EXPECT_HAS(mapping ? mapping->name : "", "xbound_tests");
    XB_EXPECT(!xb_maps_find(&maps, getpid(), 16));
    size_t before = maps.n;
    XB_EXPECT_EQ(xb_maps_read(&maps, -1), -ENOENT);
    XB_EXPECT_EQ(maps.n, before);
    /* What was added last covers what was there. */
    struct xb_mapping over = { .pid = getpid(), .start = 0x1000, .end = ~0ull, .name = "[new]" };
    XB_EXPECT_EQ(xb_maps_add(&maps, &over), 0);
    XB_EXPECT_STREQ(xb_maps_find(&maps, getpid(), (uintptr_t)&xb_skid_calibrate)->name, "[new]");
    xb_maps_forget(&maps);
    XB_EXPECT(!xb_maps_know(&maps, getpid()));
}

XB_TEST(Symbol, NamesTheFunctionOfAPlace)
{
    struct xb_maps maps = { 0 };
    char text[64];
    XB_EXPECT_EQ(xb_maps_read(&maps, getpid()), 0);
    uint64_t at = (uintptr_t)&xb_skid_calibrate + 1;
    const struct xb_mapping *mapping = xb_maps_find(&maps, getpid(), at);
    XB_EXPECT_EQ(
        xb_symbol_find(mapping->name, at - mapping->start + mapping->offset, text, sizeof text), 0);
    XB_EXPECT_STREQ(text, "xb_skid_calibrate+0x1");
    /* Cut, not overrun. */
    XB_EXPECT_EQ(xb_symbol_find(mapping->name, at - mapping->start + mapping->offset, text, 8), 0);
    XB_EXPECT_STREQ(text, "xb_skid");
    XB_EXPECT_EQ(xb_symbol_find(mapping->name, 0, text, sizeof text),
                 -ENOENT); /* the file's head */
    XB_EXPECT_STREQ(text, "");
    xb_maps_forget(&maps);
}

XB_TEST(Symbol, WhatIsNoElfFileOrACutOneHasNone)
{
    char path[512], text[64];
    XB_EXPECT_EQ(xb_symbol_find("/proc/self/maps", 100, text, sizeof text), -ENOEXEC);
    XB_EXPECT_EQ(xb_symbol_find("/nonexistent", 100, text, sizeof text), -ENOENT);
    XB_EXPECT_EQ(xb_symbol_find("/dev/zero", 100, text, sizeof text), -ENOEXEC);
    snprintf(path, sizeof path, "%s/cut", xb_test_folder());
    FILE *from = fopen("/proc/self/exe", "re"), *to = fopen(path, "we");
    char head[4096];
    size_t n = from ? fread(head, 1, sizeof head, from) : 0;
    XB_EXPECT(to && fwrite(head, 1, n, to) == n);
    if (to)
        fclose(to);
    if (from)
        fclose(from);
    XB_EXPECT_EQ(xb_symbol_find(path, 100, text, sizeof text), -ENOENT);
}
