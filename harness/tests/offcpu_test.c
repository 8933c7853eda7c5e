/* SPDX-License-Identifier: BSD-3-Clause
 * The off-CPU probe on children of known behaviour. What is asserted is which share is the largest,
 * never how long anything takes. */
#include "../base/barrier.h"
#include "../base/blocked.h"
#include "../base/child.h"
#include "../base/clock.h"
#include "../base/procfs.h"
#include "../base/rings.h"
#include "../engines/engine.h"
#include "../probes/probe.h"
#include "clue.h"
#include "xbtest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern const struct xb_probe xb_probe_offcpu;

/* ---- a driver: polls the probe over one process and its children ---- */

enum { TASKS_MAX = 4096 };

struct drive {
    struct xb_scene scene;
    struct xb_task task[TASKS_MAX];
    void *probe;
};

static void add_process(struct drive *drive, pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    if (!folder)
        return;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        pid_t tid = (pid_t)atoi(entry->d_name);
        if (tid > 0 && drive->scene.n_tasks < TASKS_MAX)
            drive->task[drive->scene.n_tasks++] = (struct xb_task){ pid, tid };
    }
    closedir(folder);
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "re");
    int child;
    while (file && fscanf(file, "%d", &child) == 1)
        add_process(drive, child);
    if (file)
        fclose(file);
}

static void find_tasks(struct drive *drive)
{
    drive->scene.n_tasks = 0;
    drive->scene.tasks = drive->task;
    add_process(drive, drive->scene.root);
}

/* What the scene says of where threads meet, from here on. */
static const void *meeting;

/* Looks at `pid` for `phases` of `n_polls` polls; `out` is what it says of the last. */
static void watch(pid_t pid, int phases, int n_polls, struct xb_findings *out)
{
    static struct drive drive;
    struct xb_reason why = { 0 };
    drive = (struct drive){ .scene = { .root = pid, .meeting = meeting } };
    *out = (struct xb_findings){ 0 };
    find_tasks(&drive);
    if (xb_probe_offcpu.open(&drive.scene, &drive.probe, &why) != 0) {
        XB_FAIL("open: %s", why.text);
        return;
    }
    for (int phase = 0; phase < phases; phase++) {
        *out = (struct xb_findings){ 0 };
        find_tasks(&drive);
        XB_EXPECT_EQ(xb_probe_offcpu.begin(drive.probe, xb_now_ns()), 0);
        for (int poll = 0; poll < n_polls; poll++) {
            /* Uneven, so that nothing periodic is in step with it. */
            nanosleep(&(struct timespec){ 0, 3000000 + poll * 37 % 11 * 400000 }, NULL);
            find_tasks(&drive);
            XB_EXPECT_EQ(xb_probe_offcpu.poll(drive.probe, xb_now_ns()), 0);
        }
        find_tasks(&drive);
        XB_EXPECT_EQ(xb_probe_offcpu.end(drive.probe, xb_now_ns(), out, &why), 0);
    }
    xb_probe_offcpu.close(drive.probe);
}

/* What a child writes to when it is set up. */
static int ready_end = -1;

static void say_ready(void)
{
    if (write(ready_end, "r", 1) != 1)
        _exit(1);
}

/* Runs `body`, which says when it is ready, in a child, looks at it so often in each of two phases, and
 * ends it. */
static struct xb_findings findings_after(int n_polls, void (*body)(void))
{
    struct xb_findings findings = { 0 };
    int ready[2];
    char byte;
    if (pipe(ready) != 0) {
        XB_FAIL("no pipe");
        return findings;
    }
    pid_t pid = fork();
    if (pid == 0) {
        xb_child_begin();
        ready_end = ready[1];
        body();
        _exit(0);
    }
    close(ready[1]);
    XB_EXPECT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    /* The second phase counts: threads that were just made, under sanitizers above all, still set up. */
    watch(pid, 2, n_polls, &findings);
    kill(-pid, SIGKILL);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return findings;
}

static struct xb_findings findings_when_ready(void (*body)(void))
{
    return findings_after(50, body);
}

static void (*unready)(void);

static void run_ready(void)
{
    say_ready();
    unready();
}

/* The same of one that needs no setting up. */
static struct xb_findings findings_of(void (*body)(void))
{
    unready = body;
    return findings_when_ready(run_ready);
}

/* ---- what is asserted ---- */

static double share_of(const struct xb_findings *findings, enum xb_whole of, enum xb_whole is,
                       enum xb_bound bound, enum xb_level level)
{
    double share = 0;
    for (size_t i = 0; i < findings->n_parts; i++) {
        const struct xb_part *part = &findings->part[i];
        if (part->of == of && part->is == is &&
            (is != XB_WHOLE_TIME || (part->bound == bound && part->level == level)))
            share += part->share;
    }
    return share;
}

static void describe(const struct xb_findings *findings)
{
    for (size_t i = 0; i < findings->n_parts; i++) {
        const struct xb_part *part = &findings->part[i];
        fprintf(stderr, "  of %d is %d bound %d level %d: %.3f\n", part->of, part->is, part->bound,
                part->level, part->share);
    }
    for (size_t i = 0; i < findings->n_clues; i++)
        fprintf(stderr, "  %s\n", findings->clue[i].text);
}

/* The parts of each whole add up, and of time this one is the largest. */
static void expect_largest(const struct xb_findings *findings, enum xb_whole is,
                           enum xb_bound bound, enum xb_level level)
{
    double sum[XB_WHOLES] = { 0 }, wanted = share_of(findings, XB_WHOLE_TIME, is, bound, level);
    for (size_t i = 0; i < findings->n_parts; i++) {
        const struct xb_part *part = &findings->part[i];
        sum[part->of] += part->share;
        XB_EXPECT(part->share >= 0 && part->share <= 1 + 1e-9);
        if (part->of == XB_WHOLE_TIME)
            XB_EXPECT(part->share <= wanted + 1e-9);
    }
    XB_EXPECT_NEAR(sum[XB_WHOLE_TIME], 1, 1e-6);
    for (int w = XB_WHOLE_USER; w < XB_WHOLES; w++)
        if (sum[w] > 0)
            XB_EXPECT_NEAR(sum[w], 1, 1e-6);
    XB_EXPECT(findings->samples > 0);
    if (xb_test_failed())
        describe(findings);
}

/* ---- children ---- */

static void work(uint64_t rounds)
{
    for (volatile uint64_t i = 0; i < rounds; i++)
        ;
}

static void spin(void)
{
    for (;;)
        work(1000000);
}

XB_TEST(Offcpu, ASpinnerRunsInUserMode)
{
    struct xb_findings findings = findings_of(spin);
    expect_largest(&findings, XB_WHOLE_USER, 0, 0);
}

static void sleep_on(void)
{
    for (;;)
        nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
}

XB_TEST(Offcpu, ASleeperWaitsForATimer)
{
    struct xb_findings findings = findings_of(sleep_on);
    expect_largest(&findings, XB_WHOLE_TIME, XB_BOUND_SYNC, XB_LEVEL_TIMER);
}

static void sleep_long(void)
{
    for (;;)
        sleep(100);
}

XB_TEST(Offcpu, OneThatSleepsThePhaseThroughStillCountsIfItIsAllThereIs)
{
    struct xb_findings findings = findings_of(sleep_long);
    expect_largest(&findings, XB_WHOLE_TIME, XB_BOUND_SYNC, XB_LEVEL_TIMER);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *locked_work(void *argument)
{
    for (;;) {
        pthread_mutex_lock(&mutex);
        work(20000000);
        pthread_mutex_unlock(&mutex);
        /* Long enough for the next one to take it, or one thread would keep all others out. */
        nanosleep(&(struct timespec){ 0, 500000 }, NULL);
    }
    return argument;
}

static void four_on_one_mutex(void)
{
    pthread_t thread;
    for (int i = 0; i < 3; i++)
        pthread_create(&thread, NULL, locked_work, NULL);
    locked_work(NULL);
}

XB_TEST(Offcpu, FourThreadsOnOneMutexWaitForALockThoughOneAlwaysRuns)
{
    struct xb_findings findings = findings_of(four_on_one_mutex);
    expect_largest(&findings, XB_WHOLE_TIME, XB_BOUND_SYNC, XB_LEVEL_LOCK);
}

static struct xb_barrier window;

/* One has a seventh of the other's work to do before they meet again. */
static void *meet(void *rounds)
{
    for (;;) {
        work(*(const uint64_t *)rounds);
        xb_barrier_wait(&window);
    }
    return NULL;
}

static void meet_in_twos(void)
{
    static uint64_t little = 300000, much = 2000000;
    pthread_t thread;
    xb_barrier_init(&window, 2);
    xb_barrier_sleep(&window);
    pthread_create(&thread, NULL, meet, &little);
    meet(&much);
}

/* Where who has it watched lets its threads meet is no lock of the program's; any other place is. */
XB_TEST(Offcpu, WhoMeetsTheOthersByOrderIsIdle)
{
    double lock[2];
    for (int told = 0; told < 2; told++) {
        meeting = told ? &window.gate : NULL;
        struct xb_findings findings = findings_of(meet_in_twos);
        lock[told] =
            share_of(&findings, XB_WHOLE_TIME, XB_WHOLE_TIME, XB_BOUND_SYNC, XB_LEVEL_LOCK);
        if (told)
            expect_largest(&findings, XB_WHOLE_USER, 0, 0);
    }
    meeting = NULL;
    XB_EXPECT(lock[0] > 0.02);
    XB_EXPECT_NEAR(lock[1], 0, 1e-9);
}

static void *idle(void *argument)
{
    pthread_mutex_lock(&mutex);
    pthread_mutex_lock(&mutex);
    return argument;
}

static void spin_beside_an_idle_pool(void)
{
    pthread_t thread;
    for (int i = 0; i < 8; i++)
        pthread_create(&thread, NULL, idle, NULL);
    say_ready();
    spin();
}

XB_TEST(Offcpu, ThreadsThatNeverWakeAreLeftOut)
{
    struct xb_findings findings = findings_when_ready(spin_beside_an_idle_pool);
    expect_largest(&findings, XB_WHOLE_USER, 0, 0);
    XB_EXPECT_NEAR(share_of(&findings, XB_WHOLE_TIME, XB_WHOLE_TIME, XB_BOUND_SYNC, XB_LEVEL_LOCK),
                   0, 1e-9);
}

/* A pipe whose writer takes its time. */
static void *write_slowly(void *argument)
{
    const int *end = argument;
    for (;;) {
        nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
        if (write(*end, "x", 1) != 1)
            return NULL;
    }
}

static void read_a_pipe(void)
{
    int end[2];
    char byte;
    if (pipe(end) != 0)
        return;
    if (fork() == 0) {
        write_slowly(&end[1]);
        _exit(0);
    }
    /* The writer sleeps as long as the reader waits; more readers' time is pipe. */
    for (int i = 0; i < 3; i++)
        if (fork() == 0)
            break;
    while (read(end[0], &byte, 1) == 1)
        work(20000);
}

XB_TEST(Offcpu, ReadersOfAPipeWaitForIo)
{
    struct xb_findings findings = findings_of(read_a_pipe);
    expect_largest(&findings, XB_WHOLE_TIME, XB_BOUND_IO, XB_LEVEL_NONE);
}

static void ping_pong(void)
{
    int there[2], back[2];
    char byte = 0;
    if (pipe(there) != 0 || pipe(back) != 0)
        return;
    if (fork() == 0) {
        while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
            ;
        _exit(0);
    }
    while (write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1)
        ;
}

XB_TEST(Offcpu, APipePingPongIsIoInItsWaitsAndInTheKernel)
{
    struct xb_findings findings = findings_of(ping_pong);
    double kernel = share_of(&findings, XB_WHOLE_TIME, XB_WHOLE_KERNEL, 0, 0),
           pipe_wait =
               share_of(&findings, XB_WHOLE_TIME, XB_WHOLE_TIME, XB_BOUND_IO, XB_LEVEL_NONE),
           pipe_kernel =
               share_of(&findings, XB_WHOLE_KERNEL, XB_WHOLE_TIME, XB_BOUND_IO, XB_LEVEL_NONE);
    XB_EXPECT(kernel + pipe_wait > 0.5);
    XB_EXPECT(pipe_kernel > 0.5);
    if (xb_test_failed())
        describe(&findings);
}

/* Waits for a pipe that nobody writes to, or one that somebody writes to each 2 ms, with a time-out. */
static int time_out_ms, n_readers;

static void poll_with_a_timeout(void)
{
    int end[2];
    char byte;
    if (pipe(end) != 0)
        return;
    if (n_readers && fork() == 0) {
        for (;; nanosleep(&(struct timespec){ 0, 2000000 }, NULL))
            for (int i = 0; i < n_readers; i++)
                if (write(end[1], "x", 1) != 1)
                    _exit(0);
    }
    for (int i = 1; i < n_readers; i++)
        if (fork() == 0)
            break;
    if (n_readers)
        close(end[1]); /* or it were a pipe to itself */
    fcntl(end[0], F_SETFL, O_NONBLOCK);
    say_ready();
    for (;;)
        if (poll(&(struct pollfd){ .fd = end[0], .events = POLLIN }, 1, time_out_ms) < 0 ||
            (n_readers && read(end[0], &byte, 1) == 0))
            return;
}

XB_TEST(Offcpu, WhoeverPollsUntilTheTimeOutWaitsForATimer)
{
    time_out_ms = 2;
    n_readers = 0;
    struct xb_findings findings = findings_after(20, poll_with_a_timeout);
    expect_largest(&findings, XB_WHOLE_TIME, XB_BOUND_SYNC, XB_LEVEL_TIMER);
}

XB_TEST(Offcpu, WhoeverPollsWithATimeOutThatIsNotReachedWaitsForThePipe)
{
    time_out_ms = 1000;
    n_readers = 3;
    struct xb_findings findings = findings_after(20, poll_with_a_timeout);
    expect_largest(&findings, XB_WHOLE_TIME, XB_BOUND_IO, XB_LEVEL_NONE);
}

enum { ASKERS = 3 };

/* Answers each on a pipe of its own. */
static void answer(int questions, int answers[static ASKERS][2])
{
    unsigned char who;
    while (read(questions, &who, 1) == 1 && write(answers[who % ASKERS][1], &who, 1) == 1)
        ;
    _exit(0);
}

/* Each waits until a time-out, and then for a reply that comes at once: event loops whose requests the clock
 * sets. They are more than who waits for their questions. */
static void ask_now_and_then(void)
{
    int there[2], back[ASKERS][2];
    unsigned char me = 0;
    if (pipe(there) != 0)
        return;
    for (int i = 0; i < ASKERS; i++)
        if (pipe(back[i]) != 0)
            return;
    if (fork() == 0)
        answer(there[0], back);
    for (int i = 0; i < ASKERS; i++)
        close(back[i][1]); /* or they were pipes to themselves */
    say_ready();
    while (me < ASKERS - 1 && fork() == 0)
        me++;
    struct pollfd reply = { .fd = back[me][0], .events = POLLIN };
    while (poll(&reply, 1, 5) == 0 && write(there[1], &me, 1) == 1 && poll(&reply, 1, -1) == 1 &&
           read(back[me][0], &me, 1) == 1)
        ;
}

XB_TEST(Offcpu, WhoeverIsAnsweredAtOnceAfterEachTimeOutWaitsForATimer)
{
    struct xb_findings findings = findings_after(50, ask_now_and_then);
    double expired = clue_of(&findings, "expired_share_of_timeouts");
    if (isnan(expired)) {
        XB_SKIP("the kernel does not say how old a wait is");
        return;
    }
    XB_EXPECT(expired > 0.5);
    expect_largest(&findings, XB_WHOLE_TIME, XB_BOUND_SYNC, XB_LEVEL_TIMER);
}

XB_TEST(Offcpu, WhoeverIsAnsweredLongBeforeTheTimeOutWaitsForThePipe)
{
    time_out_ms = 20;
    n_readers = 3;
    struct xb_findings findings = findings_after(50, poll_with_a_timeout);
    double expired = clue_of(&findings, "expired_share_of_timeouts");
    XB_EXPECT(isnan(expired) || expired < 0.5);
    expect_largest(&findings, XB_WHOLE_TIME, XB_BOUND_IO, XB_LEVEL_NONE);
}

static void fault(void)
{
    enum { BYTES = 4 << 20 };
    for (;;) {
        char *memory =
            mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            return;
        madvise(memory, BYTES, MADV_NOHUGEPAGE);
        for (size_t at = 0; at < BYTES; at += 4096)
            memory[at] = 1;
        munmap(memory, BYTES);
    }
}

XB_TEST(Offcpu, PageFaultsAreTheKernelsOwnWork)
{
    struct xb_findings findings = findings_of(fault);
    /* How much of its time is the kernel's is left open: where the hypervisor fills page tables of its
     * own, most of a fault counts as user mode. */
    XB_EXPECT(share_of(&findings, XB_WHOLE_KERNEL, XB_WHOLE_TIME, XB_BOUND_KERNEL, XB_LEVEL_NONE) >
              0.1);
    XB_EXPECT(share_of(&findings, XB_WHOLE_KERNEL, XB_WHOLE_TIME, XB_BOUND_IO, XB_LEVEL_NONE) <
              0.1);
    if (xb_test_failed())
        describe(&findings);
}

static void copy_zeros(void)
{
    static char buffer[16384];
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC), null = open("/dev/null", O_WRONLY);
    while (read(zero, buffer, sizeof buffer) > 0 && write(null, buffer, sizeof buffer) > 0)
        ;
}

XB_TEST(Offcpu, ReadsThatNeverBlockAreIoByTheirCounts)
{
    /* How much of it is the kernel's is left open: in some guests entering it counts as user mode. */
    struct xb_findings findings = findings_of(copy_zeros);
    XB_EXPECT(share_of(&findings, XB_WHOLE_KERNEL, XB_WHOLE_TIME, XB_BOUND_IO, XB_LEVEL_NONE) >
              0.3);
    if (xb_test_failed())
        describe(&findings);
}

static int listener = -1;
static struct sockaddr_in address;

static void serve(void)
{
    char byte;
    int peer = accept(listener, NULL, NULL);
    while (read(peer, &byte, 1) == 1)
        if (write(peer, &byte, 1) != 1)
            return;
}

static void *ask(void *argument)
{
    char byte = 0;
    int out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (out < 0 || connect(out, (const struct sockaddr *)&address, sizeof address) != 0)
        return NULL;
    while (!atomic_load((atomic_int *)argument)) {
        nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
        if (write(out, &byte, 1) != 1 || read(out, &byte, 1) != 1)
            break;
    }
    close(out);
    return NULL;
}

XB_TEST(Offcpu, AServerWaitsForTheNetwork)
{
    socklen_t length = sizeof address;
    atomic_int stop = 0;
    pthread_t client;
    address =
        (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    XB_EXPECT_EQ(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    XB_EXPECT_EQ(listen(listener, 1), 0);
    XB_EXPECT_EQ(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    XB_EXPECT_EQ(pthread_create(&client, NULL, ask, &stop), 0);
    struct xb_findings findings = findings_of(serve);
    atomic_store(&stop, 1);
    close(listener);
    pthread_join(client, NULL);
    expect_largest(&findings, XB_WHOLE_TIME, XB_BOUND_IO, XB_LEVEL_NETWORK);
}

static char file_path[512];

static void sync_file(void)
{
    static char page[4096];
    int file = open(file_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    while (file >= 0 && pwrite(file, page, sizeof page, 0) > 0 && fsync(file) == 0)
        ;
}

/* On tmpfs nobody waits for a disk. */
static bool disk_here(void)
{
    snprintf(file_path, sizeof file_path, "%s/data", xb_test_folder());
    int file = open(file_path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    int rc = fsync(file);
    close(file);
    return rc == 0;
}

XB_TEST(Offcpu, AWriterThatSyncsWaitsForTheDisk)
{
    if (!disk_here()) {
        XB_SKIP("no O_DIRECT where tests have their files: no disk to wait for");
        return;
    }
    struct xb_findings findings = findings_of(sync_file);
    double disk = share_of(&findings, XB_WHOLE_TIME, XB_WHOLE_TIME, XB_BOUND_IO, XB_LEVEL_DISK);
    XB_EXPECT(disk > 0);
    for (size_t i = 0; i < findings.n_parts; i++)
        if (findings.part[i].of == XB_WHOLE_TIME && findings.part[i].is == XB_WHOLE_TIME)
            XB_EXPECT(findings.part[i].share <= disk + 1e-9);
    if (xb_test_failed())
        describe(&findings);
}

static void *sync_on_request(void *argument)
{
    sync_file();
    return argument;
}

/* As POSIX AIO does: whoever wants the data waits on a futex for a thread that waits for the disk. */
static void wait_for_a_helper(void)
{
    pthread_t helper;
    pthread_create(&helper, NULL, sync_on_request, NULL);
    pthread_join(helper, NULL);
}

XB_TEST(Offcpu, AThreadThatWaitsForAHelperAtTheDiskDoesNotMakeItALock)
{
    if (!disk_here()) {
        XB_SKIP("no O_DIRECT where tests have their files: no disk to wait for");
        return;
    }
    struct xb_findings findings = findings_of(wait_for_a_helper);
    XB_EXPECT(share_of(&findings, XB_WHOLE_TIME, XB_WHOLE_TIME, XB_BOUND_SYNC, XB_LEVEL_LOCK) <
              0.2);
    if (xb_test_failed())
        describe(&findings);
}

static void parent_of_a_spinner(void)
{
    pid_t pid = fork();
    if (pid == 0)
        spin();
    while (waitpid(pid, NULL, 0) < 0)
        ;
}

XB_TEST(Offcpu, AParentThatWaitsForItsChildDoesNotCount)
{
    struct xb_findings findings = findings_of(parent_of_a_spinner);
    expect_largest(&findings, XB_WHOLE_USER, 0, 0);
}

static void spawn_children(void)
{
    for (;;) {
        pid_t pid = fork();
        if (pid == 0) {
            work(200000);
            _exit(0);
        }
        while (waitpid(pid, NULL, 0) < 0)
            ;
    }
}

XB_TEST(Offcpu, ChildrenThatLiveBetweenTwoPollsAreCpuTime)
{
    struct xb_findings findings = findings_of(spawn_children);
    double cpu = share_of(&findings, XB_WHOLE_TIME, XB_WHOLE_USER, 0, 0) +
                 share_of(&findings, XB_WHOLE_TIME, XB_WHOLE_KERNEL, 0, 0);
    XB_EXPECT(cpu > 0.5);
    if (xb_test_failed())
        describe(&findings);
}

static void *wait_on_an_eventfd(void *argument)
{
    eventfd_t value;
    int file = eventfd(0, EFD_CLOEXEC);
    while (eventfd_read(file, &value) == 0)
        ;
    return argument;
}

static void many_threads(void)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    pthread_t thread;
    for (int i = 0; i < 600; i++)
        if (pthread_create(&thread, &attributes, wait_on_an_eventfd, NULL) != 0)
            break;
    say_ready();
    spin();
}

/* As a shell does, whose commands wait for something. */
static void start_sleepers(void)
{
    for (;;) {
        pid_t pid = fork();
        if (pid == 0) {
            nanosleep(&(struct timespec){ 0, 15000000 }, NULL);
            _exit(0);
        }
        if (pid < 0)
            return;
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
}

XB_TEST(Offcpu, ProcessesThatSleepForAMomentOneAfterTheOtherWaitForATimer)
{
    struct xb_findings findings = findings_of(start_sleepers);
    expect_largest(&findings, XB_WHOLE_TIME, XB_BOUND_SYNC, XB_LEVEL_TIMER);
    XB_EXPECT(share_of(&findings, XB_WHOLE_TIME, XB_WHOLE_TIME, XB_BOUND_SYNC, XB_LEVEL_TIMER) >
              0.5);
    if (xb_test_failed())
        describe(&findings);
}

XB_TEST(Offcpu, HundredsOfThreadsAreLookedAtInTurns)
{
    struct xb_findings findings = findings_when_ready(many_threads);
    expect_largest(&findings, XB_WHOLE_USER, 0, 0);
}

/* ---- edges ---- */

XB_TEST(Offcpu, AProgramThatDiesMeanwhileHasFindingsUntilThen)
{
    struct xb_findings findings = { 0 };
    static struct drive drive;
    struct xb_reason why;
    pid_t pid = fork();
    if (pid == 0) {
        xb_child_begin();
        spin();
    }
    drive = (struct drive){ .scene = { .root = pid } };
    find_tasks(&drive);
    XB_EXPECT_EQ(xb_probe_offcpu.open(&drive.scene, &drive.probe, &why), 0);
    XB_EXPECT_EQ(xb_probe_offcpu.begin(drive.probe, xb_now_ns()), 0);
    for (int i = 0; i < 30; i++) {
        nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
        XB_EXPECT_EQ(xb_probe_offcpu.poll(drive.probe, xb_now_ns()), 0);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    find_tasks(&drive);
    XB_EXPECT_EQ(drive.scene.n_tasks, 0);
    XB_EXPECT_EQ(xb_probe_offcpu.poll(drive.probe, xb_now_ns()), 0);
    XB_EXPECT_EQ(xb_probe_offcpu.end(drive.probe, xb_now_ns(), &findings, &why), 0);
    expect_largest(&findings, XB_WHOLE_USER, 0, 0);

    /* And a phase in which there is nothing left to see. */
    findings = (struct xb_findings){ 0 };
    XB_EXPECT_EQ(xb_probe_offcpu.begin(drive.probe, xb_now_ns()), 0);
    XB_EXPECT_EQ(xb_probe_offcpu.end(drive.probe, xb_now_ns(), &findings, &why), 0);
    XB_EXPECT_EQ(findings.n_parts, 0);
    xb_probe_offcpu.close(drive.probe);
}

XB_TEST(Offcpu, AProcessThatIsGoneIsRefusedWithAReason)
{
    struct xb_reason why = { 0 };
    struct xb_scene scene = { 0 };
    void *probe = NULL;
    scene.root = fork();
    if (scene.root == 0)
        _exit(0);
    waitpid(scene.root, NULL, 0);
    XB_EXPECT(xb_probe_offcpu.open(&scene, &probe, &why) < 0);
    XB_EXPECT_HAS(why.text, "gone");
    xb_probe_offcpu.close(NULL);
}

XB_TEST(Offcpu, PhasesFollowEachOtherWithoutWhatWasBefore)
{
    struct xb_findings findings;
    pid_t pid = fork();
    if (pid == 0) {
        xb_child_begin();
        uint64_t until = xb_now_ns() + 200000000;
        while (xb_now_ns() < until)
            ;
        sleep_on();
    }
    watch(pid, 4, 25, &findings);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    expect_largest(&findings, XB_WHOLE_TIME, XB_BOUND_SYNC, XB_LEVEL_TIMER);
}

XB_TEST(Offcpu, ChannelsAndLinksSayWhatIsWaitedFor)
{
    XB_EXPECT_EQ(xb_wait_of_channel("futex_do_wait"), XB_WAIT_LOCK);
    XB_EXPECT_EQ(xb_wait_of_channel("futex_wait_queue_me"), XB_WAIT_LOCK);
    XB_EXPECT_EQ(xb_wait_of_channel("hrtimer_nanosleep"), XB_WAIT_TIMER);
    XB_EXPECT_EQ(xb_wait_of_channel("folio_wait_bit_common"), XB_WAIT_DISK);
    XB_EXPECT_EQ(xb_wait_of_channel("anon_pipe_read"), XB_WAIT_PIPE);
    XB_EXPECT_EQ(xb_wait_of_channel("do_wait"), XB_WAIT_CHILD);
    XB_EXPECT_EQ(xb_wait_of_channel("0"), XB_WAIT_UNKNOWN);
    XB_EXPECT_EQ(xb_wait_of_channel(""), XB_WAIT_UNKNOWN);
    XB_EXPECT_EQ(xb_wait_of_link("socket:[123]"), XB_WAIT_NETWORK);
    XB_EXPECT_EQ(xb_wait_of_link("anon_inode:[eventfd]"), XB_WAIT_LOCK);
    XB_EXPECT_EQ(xb_wait_of_link("anon_inode:[eventpoll]"), XB_WAIT_UNKNOWN);
    XB_EXPECT_EQ(xb_wait_of_link("/home/data"), XB_WAIT_DISK);
    XB_EXPECT_EQ(xb_wait_of_link("/dev/pts/3"), XB_WAIT_PIPE);
    XB_EXPECT_EQ(xb_wait_of_link("/dev/urandom"), XB_WAIT_KERNEL);
    XB_EXPECT_EQ(xb_wait_of_link("/proc/1/stat"), XB_WAIT_KERNEL);
    XB_EXPECT_EQ(xb_wait_of_channel("rwsem_down_write_slowpath"), XB_WAIT_KERNEL);
}

static enum xb_wait work_of(long number, uint64_t first)
{
    const uint64_t argument[XB_CALL_ARGUMENTS] = { first };
    return xb_work_of_call(getpid(), number, argument);
}

/* What a look makes of a line of /proc/<pid>/syscall. */
static struct xb_blocked blocked_of(const char *line)
{
    struct xb_blocked blocked = { 0 };
    struct xb_blocked_files files = { .syscall = -1, .wchan = -1, .glimpse = line };
    XB_EXPECT(xb_blocked_look(getpid(), 'S', &files, &blocked));
    return blocked;
}

XB_TEST(Syscalls, ACallIsThatOfA64BitProgramIfItsStackOrItsCodeIsHighUp)
{
    char line[128];
    snprintf(line, sizeof line, "%d 0x1 0x2 0x0 0x0 0x0 0x0 0x7ffec85dbd30 0x7f606e256503\n",
             SYS_clock_nanosleep);
    XB_EXPECT_EQ(blocked_of(line).wait, XB_WAIT_TIMER);
    snprintf(line, sizeof line, "%d 0x1 0x2 0x0 0x0 0x0 0x0 0x7ffec85dbd30 0x463e20\n",
             SYS_clock_nanosleep); /* linked to a fixed address */
    XB_EXPECT_EQ(blocked_of(line).wait, XB_WAIT_TIMER);
    snprintf(line, sizeof line, "%d 0x1 0x2 0x0 0x0 0x0 0x0 0xffbd5e30 0xf7f5a549\n",
             SYS_clock_nanosleep); /* another call's number there */
    XB_EXPECT_EQ(blocked_of(line).wait, XB_WAIT_UNKNOWN);
    XB_EXPECT_EQ(blocked_of("-1 0x7ffec85dbd30 0x463e20\n").wait, XB_WAIT_UNKNOWN);
}

XB_TEST(Syscalls, ACallWorksForTheFileThatItIsAbout)
{
    int end[2], sockets[2];
    int random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    XB_EXPECT(random >= 0 && pipe(end) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    XB_EXPECT_EQ(work_of(SYS_read, (uint64_t)end[0]), XB_WAIT_PIPE);
    XB_EXPECT_EQ(work_of(SYS_write, (uint64_t)sockets[0]), XB_WAIT_NETWORK);
    XB_EXPECT_EQ(work_of(SYS_sendfile, (uint64_t)sockets[0]), XB_WAIT_NETWORK);
    XB_EXPECT_EQ(work_of(SYS_ioctl, (uint64_t)sockets[0]), XB_WAIT_NETWORK);
    XB_EXPECT_EQ(work_of(SYS_ioctl, (uint64_t)random), XB_WAIT_KERNEL);
    XB_EXPECT_EQ(work_of(SYS_read, (uint64_t)random), XB_WAIT_KERNEL);
    /* Whatever wakes an epoll is entered by the kernel, for nobody in particular; sockets for their sake. */
    int woken = eventfd(0, EFD_CLOEXEC);
    uint64_t enter[XB_CALL_ARGUMENTS] = { 0, EPOLL_CTL_ADD, (uint64_t)woken };
    XB_EXPECT_EQ(xb_work_of_call(getpid(), SYS_epoll_ctl, enter), XB_WAIT_KERNEL);
    enter[2] = (uint64_t)sockets[0];
    XB_EXPECT_EQ(xb_work_of_call(getpid(), SYS_epoll_ctl, enter), XB_WAIT_NETWORK);
    close(woken);
    /* Polled, a pipe to itself is another thread's. */
    struct pollfd polled = { .fd = end[0], .events = POLLIN };
    uint64_t poll_call[XB_CALL_ARGUMENTS] = { (uintptr_t)&polled, 1 };
    XB_EXPECT_EQ(xb_wait_of_call(getpid(), SYS_ppoll, poll_call), XB_WAIT_LOCK);
    XB_EXPECT_EQ(xb_work_of_call(getpid(), SYS_ppoll, poll_call), XB_WAIT_PIPE);
    close(end[1]);
    XB_EXPECT_EQ(xb_wait_of_call(getpid(), SYS_ppoll, poll_call), XB_WAIT_PIPE);
    close(end[0]);
    close(sockets[0]);
    close(sockets[1]);
    close(random);
    /* Bytes all the same, of whatever file that was. */
    XB_EXPECT_EQ(work_of(SYS_read, (uint64_t)random), XB_WAIT_PIPE);
    XB_EXPECT_EQ(work_of(SYS_read, UINT64_MAX), XB_WAIT_PIPE);
    XB_EXPECT_EQ(work_of(SYS_recvfrom, UINT64_MAX), XB_WAIT_NETWORK);
    XB_EXPECT_EQ(work_of(SYS_futex, 0), XB_WAIT_LOCK);
    XB_EXPECT_EQ(work_of(SYS_getpid, 0), XB_WAIT_KERNEL);
    XB_EXPECT_EQ(work_of(SYS_fcntl, 0), XB_WAIT_KERNEL);
    XB_EXPECT_EQ(work_of(SYS_getdents64, 0), XB_WAIT_KERNEL);
    XB_EXPECT_EQ(work_of(-1, 0), XB_WAIT_UNKNOWN);
    XB_EXPECT_EQ(work_of(999999, 0), XB_WAIT_KERNEL);
}

static enum xb_wait wait_of_futex(uint64_t operation, uint64_t value)
{
    const uint64_t argument[XB_CALL_ARGUMENTS] = { 4096, operation, value };
    return xb_wait_of_call(getpid(), SYS_futex, argument);
}

XB_TEST(Syscalls, WhoeverJoinsAThreadWaitsForItToEnd)
{
    uint64_t self = (uint64_t)getpid();
    XB_EXPECT_EQ(wait_of_futex(FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, self), XB_WAIT_CHILD);
    XB_EXPECT_EQ(wait_of_futex(FUTEX_WAIT, self), XB_WAIT_CHILD);
    XB_EXPECT_EQ(wait_of_futex(FUTEX_WAIT_PRIVATE, self), XB_WAIT_LOCK);
    XB_EXPECT_EQ(wait_of_futex(FUTEX_WAIT, self | FUTEX_WAITERS), XB_WAIT_LOCK);
    XB_EXPECT_EQ(wait_of_futex(FUTEX_WAIT, 1), XB_WAIT_LOCK); /* init is no thread of ours */
    XB_EXPECT_EQ(wait_of_futex(FUTEX_LOCK_PI, self), XB_WAIT_LOCK);
}

extern const struct xb_io_engine xb_engine_uring;

/* Waits in a ring of its own for good. */
static void await_in_ring(struct xb_io_op op)
{
    struct xb_io *io;
    struct xb_reason why = { 0 };
    if (xb_engine_uring.open(NULL, 1, &io, &why) != 0)
        _exit(1);
    say_ready();
    io->await(io, &op, 1, 1);
    _exit(1);
}

static void sleep_in_ring(void)
{
    await_in_ring((struct xb_io_op){ .kind = XB_IO_SLEEP, .sleep_ns = UINT64_C(3600000000000) });
}

static void receive_in_ring(void)
{
    static char byte;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        _exit(1);
    await_in_ring((struct xb_io_op){ .kind = XB_IO_RECV, .fd = ends[0], .buf = &byte, .len = 1 });
}

static void read_own_pipe_in_ring(void)
{
    static char byte;
    int ends[2];
    if (pipe(ends) != 0)
        _exit(1);
    await_in_ring((struct xb_io_op){
        .kind = XB_IO_READ, .fd = ends[0], .buf = &byte, .len = 1, .offset = XB_IO_STREAM });
}

/* What a child waits for that does so in a ring. */
static enum xb_wait wait_in_ring(void (*body)(void))
{
    enum { TRIES = 1000 };
    int ready[2], left_open[2]; /* the last is nothing to the child that is born with it */
    char byte, text[256];
    if (pipe(ready) != 0 || pipe(left_open) != 0)
        return XB_WAITS;
    pid_t pid = fork();
    if (pid == 0) {
        xb_child_begin();
        ready_end = dup2(ready[1], STDERR_FILENO);
        close(ready[0]);
        close(ready[1]);
        body();
    }
    close(ready[1]);
    enum xb_wait wait = XB_WAITS;
    bool is_ready = read(ready[0], &byte, 1) == 1;
    for (int i = 0; is_ready && i < TRIES && wait == XB_WAITS; i++) {
        unsigned long long argument[4];
        nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
        if (xb_proc_text(pid, pid, "syscall", text, sizeof text) > 0 &&
            strtol(text, NULL, 10) == SYS_io_uring_enter &&
            sscanf(text, "%*d %llx %llx %llx %llx", &argument[0], &argument[1], &argument[2],
                   &argument[3]) == 4)
            wait = xb_wait_of_call(pid, SYS_io_uring_enter,
                                   (const uint64_t[XB_CALL_ARGUMENTS]){ argument[0], argument[1],
                                                                        argument[2], argument[3] });
    }
    close(ready[0]);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close(left_open[0]);
    close(left_open[1]);
    return wait;
}

XB_TEST(Syscalls, ARingTellsByItsPollsWhatItIsWaitedFor)
{
    struct xb_reason why = { 0 };
    if (xb_engine_uring.probe(&why) != 0) {
        XB_SKIP("%s", why.text);
        return;
    }
    XB_EXPECT_EQ(wait_in_ring(sleep_in_ring), XB_WAIT_RING);
    XB_EXPECT_EQ(wait_in_ring(receive_in_ring), XB_WAIT_NETWORK);
    XB_EXPECT_EQ(wait_in_ring(read_own_pipe_in_ring), XB_WAIT_LOCK);
}

static char zeros[65536];

/* One read of /dev/zero, which never blocks, and may be short. */
static bool read_zeros(struct xb_io *io, int zero)
{
    struct xb_io_op op = {
        .kind = XB_IO_READ, .fd = zero, .buf = zeros, .len = sizeof zeros, .offset = XB_IO_STREAM
    };
    return io->await(io, &op, 1, 1) == 0 && op.result > 0;
}

static void read_zeros_in_ring(void)
{
    struct xb_io *io;
    struct xb_reason why = { 0 };
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    if (xb_engine_uring.open(NULL, 1, &io, &why) != 0)
        _exit(1);
    while (read_zeros(io, zero))
        ;
    _exit(1);
}

XB_TEST(Offcpu, ReadsInARingAreIoThoughNoAccountCountsThem)
{
    struct xb_reason why = { 0 };
    if (xb_engine_uring.probe(&why) != 0) {
        XB_SKIP("%s", why.text);
        return;
    }
    struct xb_findings findings = findings_of(read_zeros_in_ring);
    XB_EXPECT(share_of(&findings, XB_WHOLE_KERNEL, XB_WHOLE_TIME, XB_BOUND_IO, XB_LEVEL_NONE) >
              0.5);
    XB_EXPECT(clue_of(&findings, "ring_share_of_kernel") > 0);
    if (xb_test_failed())
        describe(&findings);
}

XB_TEST(Rings, ARingSaysHowManyOperationsItTook)
{
    struct xb_reason why = { 0 };
    struct xb_io *io = NULL;
    if (xb_engine_uring.open(NULL, 1, &io, &why) != 0) {
        XB_SKIP("%s", why.text);
        return;
    }
    struct xb_rings before = { 0 }, after = { 0 }, none = { 0 };
    unsigned links = 1000, no_links = 0;
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    xb_rings_look(getpid(), &links, &before);
    for (int i = 0; i < 5; i++)
        XB_EXPECT(read_zeros(io, zero));
    xb_rings_look(getpid(), &links, &after);
    XB_EXPECT(before.found >= 1);
    XB_EXPECT_EQ(after.found, before.found);
    XB_EXPECT_EQ(after.busy, 0); /* nobody is in it now */
    XB_EXPECT_EQ(after.taken - before.taken, 5);
    XB_EXPECT(links < 1000);
    xb_rings_look(getpid(), &no_links, &none);
    XB_EXPECT_EQ(none.found, 0);
    xb_rings_look(0, &links, &none); /* no process */
    XB_EXPECT_EQ(none.found, 0);
    close(zero);
    xb_engine_uring.close(io);
}

static bool is_mutex(long call, uint64_t operation, uint64_t value)
{
    struct xb_blocked blocked = { .call = call, .argument = { 4096, operation, value } };
    return xb_blocked_on_mutex(&blocked);
}

XB_TEST(Syscalls, AMutexIsToldFromAConditionByItsWord)
{
    XB_EXPECT(is_mutex(SYS_futex, FUTEX_WAIT_PRIVATE, 2));
    XB_EXPECT(is_mutex(SYS_futex, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 2));
    XB_EXPECT(is_mutex(SYS_futex, FUTEX_LOCK_PI_PRIVATE, 0));
    XB_EXPECT(!is_mutex(SYS_futex, FUTEX_WAIT_BITSET_PRIVATE, 0));
    XB_EXPECT(!is_mutex(SYS_read, FUTEX_WAIT_PRIVATE, 2));
}

static uint64_t timeout_of(long number, int at, uint64_t value)
{
    uint64_t argument[XB_CALL_ARGUMENTS] = { 0 };
    argument[at] = value;
    return xb_timeout_of_call(getpid(), number, argument);
}

XB_TEST(Syscalls, TimeOutsAreReadWhereverTheyAre)
{
    struct timespec half = { 0, 500000000 }, wrong = { 0, 2000000000 }, past = { -1, 0 };
    XB_EXPECT_EQ(timeout_of(SYS_epoll_pwait, 3, 5), 5000000);
    XB_EXPECT_EQ(timeout_of(SYS_epoll_pwait, 3, UINT64_MAX), 0);
    XB_EXPECT_EQ(timeout_of(SYS_epoll_pwait, 3, 0xffffffff), 0); /* -1 in half a register */
    XB_EXPECT_EQ(timeout_of(SYS_ppoll, 2, (uintptr_t)&half), 500000000);
    XB_EXPECT_EQ(timeout_of(SYS_ppoll, 2, (uintptr_t)&wrong), 0);
    XB_EXPECT_EQ(timeout_of(SYS_pselect6, 4, (uintptr_t)&past), 0);
    XB_EXPECT_EQ(timeout_of(SYS_pselect6, 4, 0), 0);
    XB_EXPECT_EQ(timeout_of(SYS_pselect6, 4, 4096), 0);
    XB_EXPECT_EQ(timeout_of(SYS_read, 2, 5), 0);
    struct io_uring_getevents_arg ring = { .ts = (uintptr_t)&half };
    uint64_t enter[XB_CALL_ARGUMENTS] = { 3, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
                                          (uintptr_t)&ring };
    XB_EXPECT_EQ(xb_timeout_of_call(getpid(), SYS_io_uring_enter, enter), 500000000);
    ring.ts = 0;
    XB_EXPECT_EQ(xb_timeout_of_call(getpid(), SYS_io_uring_enter, enter), 0);
    enter[3] = IORING_ENTER_GETEVENTS; /* it is a signal mask then */
    XB_EXPECT_EQ(xb_timeout_of_call(getpid(), SYS_io_uring_enter, enter), 0);
    XB_EXPECT_EQ(timeout_of(-1, 2, 5), 0);
}

XB_TEST(Procfs, StatIsTakenApartWhateverTheProgramsName)
{
    struct xb_proc_stat stat;
    XB_EXPECT(xb_proc_parse_stat("7 (a) R (b) S 1 2 3 4 -1 5 60 61 70 71 80 81 82 83 20 0 1 0 99 "
                                 "4096 17 18446744073709551615 1",
                                 &stat));
    XB_EXPECT_EQ(stat.state, 'S');
    XB_EXPECT_EQ(stat.minor_faults, 60);
    XB_EXPECT_EQ(stat.child_major_faults, 71);
    XB_EXPECT_EQ(stat.user_ticks, 80);
    XB_EXPECT_EQ(stat.child_kernel_ticks, 83);
    XB_EXPECT_EQ(stat.start_ticks, 99);
    XB_EXPECT_EQ(stat.mapped_bytes, 4096);
    XB_EXPECT_EQ(stat.rss_pages, 17);
    XB_EXPECT_EQ(stat.cpu, -1);
    XB_EXPECT(xb_proc_parse_stat(
        "1 (a) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 "
        "30 31 32 33 34 35 36 37 38 3 40 41",
        &stat));
    XB_EXPECT_EQ(stat.rss_pages, 24);
    XB_EXPECT_EQ(stat.cpu, 3);
    XB_EXPECT(!xb_proc_parse_stat("7 (cut) S 1 2", &stat));
    XB_EXPECT(!xb_proc_parse_stat("", &stat));
    XB_EXPECT(!xb_proc_parse_stat("7 (a)", &stat));
}

XB_TEST(Procfs, SchedstatAndIoAreTakenApart)
{
    struct xb_proc_sched sched;
    struct xb_proc_io io;
    XB_EXPECT(xb_proc_parse_sched("10 20 3\n", &sched));
    XB_EXPECT_EQ(sched.run_ns, 10);
    XB_EXPECT_EQ(sched.runs, 3);
    XB_EXPECT(!xb_proc_parse_sched("10 20", &sched));
    uint64_t waits = 0;
    XB_EXPECT(xb_proc_parse_waits("Name:\tvoluntary_ctxt_switches: 9\nvoluntary_ctxt_switches:\t5\n"
                                  "nonvoluntary_ctxt_switches:\t7\n",
                                  &waits));
    XB_EXPECT_EQ(waits, 5);
    XB_EXPECT(!xb_proc_parse_waits("nonvoluntary_ctxt_switches:\t7\n", &waits));
    XB_EXPECT(xb_proc_parse_io("rchar: 5\nwchar: 6\nsyscr: 1\nsyscw: 2\nread_bytes: 512\n"
                               "write_bytes: 1024\ncancelled_write_bytes: 7\n",
                               &io));
    XB_EXPECT_EQ(io.bytes, 11);
    XB_EXPECT_EQ(io.calls, 3);
    XB_EXPECT_EQ(io.storage_bytes, 1536);
    XB_EXPECT(!xb_proc_parse_io("", &io));
}
