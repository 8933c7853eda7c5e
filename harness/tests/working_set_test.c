/* Working sets of streams of addresses whose size is known. */
#include "harness/stats/stall_sums.h"
#include "harness/tests/xbtest.h"

#include <math.h>
#include <stdlib.h>
#include <sys/syscall.h>

enum { BASE = 0x10000000, N = 10000 };

/* xorshift64*, Vigna, ACM TOMS 42, 2016. */
static uint64_t draw(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1d;
}

/* One touch of a word in [BASE, BASE + bytes), all equally likely. */
static uint64_t anywhere(uint64_t *state, uint64_t bytes)
{
    return BASE + draw(state) % (bytes / 8) * 8;
}

/* The pool of most touches. */
static struct xb_pool largest(const struct xb_touch *touch, size_t n)
{
    struct xb_pool pool[XB_POOLS_MAX] = { { 0 } };
    size_t n_pools;
    XB_EXPECT_EQ(xb_working_sets(touch, n, pool, &n_pools), 0);
    XB_EXPECT(n_pools > 0 && n_pools <= XB_POOLS_MAX);
    return pool[0];
}

static void expect_size(const char *what, double is, double should)
{
    if (!(fabs(is / should - 1) <= 0.1))
        XB_FAIL("%s of %.0f KiB: %.0f KiB", what, should / 1024, is / 1024);
}

static const uint64_t sizes[] = { 24 << 10, 256 << 10, 1 << 20, 16 << 20, 128 << 20, 512u << 20 };
enum { SIZES = sizeof sizes / sizeof sizes[0] };

XB_TEST(WorkingSet, OfRandomTouchesIsWithinATenth)
{
    static struct xb_touch touch[N];
    uint64_t state = 1;
    for (int s = 0; s < SIZES; s++) {
        for (int i = 0; i < N; i++)
            touch[i] = (struct xb_touch){ .address = anywhere(&state, sizes[s]), .site = 1 };
        struct xb_pool pool = largest(touch, N);
        expect_size("random", pool.size.bytes, (double)sizes[s]);
        XB_EXPECT(pool.size.pairs > 500 && pool.size.error < 0.05);
        XB_EXPECT_EQ(pool.touches, N);
        XB_EXPECT(!pool.is_hot);
    }
}

/* A stream that is sampled at even intervals in which it moves on by 3 MB, give or take a tenth. */
XB_TEST(WorkingSet, OfASampledStreamIsWithinATenth)
{
    static struct xb_touch touch[N];
    uint64_t state = 2;
    for (int s = 0; s < SIZES; s++) {
        for (uint64_t i = 0, at = 0; i < N; i++) {
            at += 2700000 + draw(&state) % 600000;
            touch[i] = (struct xb_touch){ .address = BASE + at / 8 * 8 % sizes[s], .site = 1 };
        }
        expect_size("stream", largest(touch, N).size.bytes, (double)sizes[s]);
    }
}

/* A stream that goes through its set only a few times while it is watched: samples of one pass never
 * meet. */
XB_TEST(WorkingSet, OfASlowStreamIsNotLargerThanWhatItTouches)
{
    static struct xb_touch touch[N];
    uint64_t state = 3;
    for (uint64_t i = 0, at = 0; i < N; i++) {
        at += 100000 + draw(&state) % 20000;
        touch[i] = (struct xb_touch){ .address = BASE + at / 8 * 8 % (512u << 20), .site = 1 };
    }
    expect_size("slow stream", largest(touch, N).size.bytes, 512u << 20);
}

XB_TEST(WorkingSet, HotLinesArePeeledOffTheBulk)
{
    static struct xb_touch touch[N];
    uint64_t state = 4;
    for (int i = 0; i < N; i++)
        touch[i] = (struct xb_touch){ .address = i % 4 ? anywhere(&state, 340 << 20)
                                                       : BASE + draw(&state) % 8 * 64,
                                      .site = 1 };
    struct xb_pool pool[XB_POOLS_MAX];
    size_t n;
    XB_EXPECT_EQ(xb_working_sets(touch, N, pool, &n), 0);
    XB_EXPECT_EQ(n, 2);
    expect_size("bulk", pool[0].size.bytes, 340 << 20);
    XB_EXPECT(pool[1].is_hot);
    XB_EXPECT_EQ(pool[1].size.bytes, 8 * 64);
    XB_EXPECT_NEAR((double)pool[1].touches / N, 0.25, 0.01);
    XB_EXPECT_EQ(pool[0].touches + pool[1].touches, N);
}

/* Each load of an unrolled loop sees every eighth line. */
XB_TEST(WorkingSet, OfAnUnrolledLoopIsThatOfAllItsLoads)
{
    static struct xb_touch touch[N];
    uint64_t state = 5;
    for (int i = 0; i < N; i++) {
        uint64_t line = draw(&state) % (4 << 20) / 64;
        touch[i] = (struct xb_touch){ .address = BASE + line * 64, .site = (uint32_t)(line % 8) };
    }
    struct xb_pool pool = largest(touch, N);
    expect_size("unrolled", pool.size.bytes, 4 << 20);
    XB_EXPECT_EQ(pool.sites, 8);
}

/* ... also where the first load of a round takes most of the time. */
XB_TEST(WorkingSet, OfAnUnrolledLoopThatWaitsUnequallyIsThatOfAllItsLoads)
{
    static struct xb_touch touch[N];
    uint64_t state = 9;
    for (int i = 0; i < N; i++) {
        uint64_t line = draw(&state) % (24 << 10) / 64, first = i % 3 ? line / 8 * 8 : line;
        touch[i] = (struct xb_touch){ .address = BASE + first * 64, .site = (uint32_t)(first % 8) };
    }
    struct xb_pool pool = largest(touch, N);
    expect_size("unequal", pool.size.bytes, 24 << 10);
    XB_EXPECT_EQ(pool.touches, N);
}

XB_TEST(WorkingSet, InstructionsWithSetsOfTheirOwnAreToldApart)
{
    static struct xb_touch touch[N];
    uint64_t state = 6;
    for (int i = 0; i < N; i++)
        touch[i] = (struct xb_touch){ .address = i % 3 ? anywhere(&state, 128 << 20)
                                                       : (1ull << 40) + anywhere(&state, 32 << 10),
                                      .site = i % 3 ? 1 : 2 };
    struct xb_pool pool[XB_POOLS_MAX];
    size_t n;
    XB_EXPECT_EQ(xb_working_sets(touch, N, pool, &n), 0);
    XB_EXPECT_EQ(n, 2);
    expect_size("large", pool[0].size.bytes, 128 << 20);
    expect_size("small", pool[1].size.bytes, 32 << 10);
}

/* A quarter of all stalls on the first line of a page, as stores into 1 GiB had them. */
/* A hundred instructions that use an array of 32 KiB, and each of them now and then another of 1 MiB: no site
 * has touches enough to be told from the others. */
XB_TEST(WorkingSet, ADenseSetWithinAnotherIsToldApartByItsPages)
{
    static struct xb_touch touch[1000];
    struct xb_pool pool[XB_POOLS_MAX];
    size_t n_pools;
    uint64_t state = 4;
    for (uint32_t i = 0; i < 1000; i++) {
        bool dense = draw(&state) % 100 < 65;
        touch[i] = (struct xb_touch){ .address = dense ? anywhere(&state, 32 << 10)
                                                       : anywhere(&state, 1 << 20) + (8u << 20),
                                      .site = i % 100 };
    }
    XB_EXPECT_EQ(xb_working_sets(touch, 1000, pool, &n_pools), 0);
    XB_EXPECT(n_pools >= 2); /* a line may be hot by chance */
    XB_EXPECT(pool[0].touches > 600 && pool[0].touches < 700);
    XB_EXPECT_NEAR(pool[0].size.bytes / (32 << 10), 1, 0.15);
    XB_EXPECT(pool[1].touches > 300 && pool[1].touches < 400);
    XB_EXPECT_NEAR(pool[1].size.bytes / (1 << 20), 1, 0.25);
    /* One set stays one, however few its touches are. */
    for (size_t n = 60; n <= 1000; n += 47) {
        for (uint32_t i = 0; i < n; i++)
            touch[i] = (struct xb_touch){ .address = anywhere(&state, 512 << 10), .site = i % 100 };
        XB_EXPECT_EQ(xb_working_sets(touch, n, pool, &n_pools), 0);
        XB_EXPECT(10 * pool[0].touches >= 9 * n);
    }
}

/* Of six equal pages the last one is no set with two strays. */
XB_TEST(WorkingSet, StraysDoNotTakeAPageOffASetOfFew)
{
    static struct xb_touch touch[362];
    struct xb_pool pool[XB_POOLS_MAX];
    size_t n;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t state = seed;
        for (int i = 0; i < 362; i++)
            touch[i] =
                (struct xb_touch){ .address = i < 360 ? anywhere(&state, 24 << 10)
                                                      : (1ull << 30) + anywhere(&state, 1 << 20),
                                   .site = 1 };
        XB_EXPECT_EQ(xb_working_sets(touch, 362, pool, &n), 0);
        expect_size("six pages", pool[0].size.bytes, 24 << 10);
    }
}

/* As those of a make: each has its set in the caches while it runs. */
XB_TEST(WorkingSet, OfSeveralProcessesIsThatOfOne)
{
    static struct xb_touch touch[N];
    uint64_t state = 6;
    for (uint32_t i = 0; i < N; i++)
        touch[i] = (struct xb_touch){ .address = anywhere(&state, 256 << 10) |
                                                 (uint64_t)(i % 10 + 1) << 56,
                                      .site = i % 10,
                                      .thread = i % 10 };
    expect_size("ten times", largest(touch, N).size.bytes, 256 << 10);
}

XB_TEST(WorkingSet, TheFirstLineOfAPageDoesNotShrinkIt)
{
    static struct xb_touch touch[N];
    uint64_t state = 7;
    for (int s = 2; s < SIZES; s++) {
        for (int i = 0; i < N; i++) {
            uint64_t at = anywhere(&state, sizes[s]);
            touch[i] = (struct xb_touch){ .address = i % 4 ? at : at & ~4095ull, .site = 1 };
        }
        expect_size("first lines", largest(touch, N).size.bytes, (double)sizes[s]);
    }
}

/* One line of every fourth: pages cannot stand for lines. */
XB_TEST(WorkingSet, ASparseSetIsCountedInLines)
{
    static struct xb_touch touch[N];
    uint64_t state = 8, bytes = 8 << 20;
    for (int i = 0; i < N; i++) {
        uint64_t line = draw(&state) % (bytes / 64);
        line = line / 4 * 4 + (line / 4 * 0x9e3779b97f4a7c15 >> 62);
        touch[i] = (struct xb_touch){ .address = BASE + line * 64, .site = 1 };
    }
    struct xb_pool pool = largest(touch, N);
    XB_EXPECT_EQ(pool.size.granule, XB_LINE_BYTES);
    XB_EXPECT_NEAR(pool.size.bytes / ((double)bytes / 4), 1, 0.15);
}

XB_TEST(WorkingSet, OneLineAgainAndAgainIsOneLine)
{
    struct xb_touch touch[1000];
    for (int i = 0; i < 1000; i++)
        touch[i] = (struct xb_touch){ .address = BASE, .site = 1 };
    struct xb_pool pool = largest(touch, 1000);
    XB_EXPECT_EQ(pool.size.bytes, XB_LINE_BYTES);
    XB_EXPECT_EQ(pool.touches, 1000);
}

/* Constants of a loop, each loaded by an instruction of its own, and a few stray touches. */
XB_TEST(WorkingSet, VariablesAreHotHoweverFarApartTheyLie)
{
    struct xb_touch touch[400];
    for (uint64_t i = 0; i < 400; i++)
        touch[i] = (struct xb_touch){ .address = BASE + i % 4 * 70000, .site = (uint32_t)(i % 4) };
    for (uint64_t i = 0; i < 20; i++)
        touch[i * 20] = (struct xb_touch){ .address = BASE + 300000 + i * 5000, .site = 9 };
    struct xb_pool pool = largest(touch, 400);
    XB_EXPECT(pool.is_hot);
    XB_EXPECT_EQ(pool.size.bytes, 4 * XB_LINE_BYTES);
    XB_EXPECT(pool.touches > 360);
}

XB_TEST(WorkingSet, OfNothingThereIsNone)
{
    struct xb_pool pool[XB_POOLS_MAX];
    size_t n = 7;
    XB_EXPECT_EQ(xb_working_sets(NULL, 0, pool, &n), 0);
    XB_EXPECT_EQ(n, 0);
}

/* Without a pair there is no upper end. */
XB_TEST(WorkingSet, WithoutAPairItIsInfinite)
{
    struct xb_touch touch[10];
    for (int i = 0; i < 10; i++)
        touch[i] = (struct xb_touch){ .address = BASE + ((uint64_t)i << 32), .site = 1 };
    struct xb_pool pool = largest(touch, 10);
    XB_EXPECT(isinf(pool.size.bytes));
    XB_EXPECT_EQ(pool.size.pairs, 0);
}

/* Atomic operations of two threads on one line are waiting for each other; of one thread, or on two
 * lines, they are not. */
XB_TEST(StallSums, AtomicsOfSeveralThreadsOnALineAreContended)
{
    struct xb_stall_site site[] = { { .stall.kind = XB_STALL_ATOMIC },
                                    { .stall.kind = XB_STALL_LOAD } };
    struct xb_stalled sample[400];
    struct xb_stall_sums sums;
    for (int i = 0; i < 400; i++) {
        sample[i] = (struct xb_stalled){ .fate = XB_FATE_KNOWN, .tid = 1 + i % 2, .address = BASE };
        if (i >= 100) /* each thread its own line */
            sample[i].address += 4096 * (uint64_t)sample[i].tid;
        if (i >= 200)
            sample[i].site = 1;
        if (i >= 300)
            sample[i].fate = XB_FATE_LOST;
        if (i >= 350)
            sample[i].within_bytes = 1 << 20;
    }
    XB_EXPECT_EQ(xb_stall_sum(sample, 400, site, 2, NULL, &sums), 0);
    XB_EXPECT_EQ(sums.contended, 100);
    XB_EXPECT_EQ(sums.kind[XB_STALL_ATOMIC], 200);
    XB_EXPECT_EQ(sums.kind[XB_STALL_LOAD], 200);
    XB_EXPECT_EQ(sums.of_site[0], 200);
    XB_EXPECT_EQ(sums.lost, 50);
    XB_EXPECT_EQ(sums.n_within, 50);
    XB_EXPECT_EQ(sums.within_bytes[0], 1 << 20);
    size_t in_pools = 0;
    for (size_t i = 0; i < sums.n_pools; i++)
        in_pools += sums.pool[i].touches;
    XB_EXPECT_EQ(in_pools, 200);
    xb_stall_sums_free(&sums);
}

XB_TEST(StallSums, OffsetsMakeSetsOfTheirOwn)
{
    static const struct xb_stall_site site[] = { { .stall.kind = XB_STALL_LOAD } };
    static struct xb_stalled sample[4000];
    struct xb_stall_sums sums;
    uint64_t state = 11;
    for (int i = 0; i < 4000; i++)
        sample[i] = (struct xb_stalled){ .fate = XB_FATE_OFFSET,
                                         .tid = 1,
                                         .address = anywhere(&state, 16 << 20) - BASE };
    XB_EXPECT_EQ(xb_stall_sum(sample, 4000, site, 1, NULL, &sums), 0);
    XB_EXPECT_EQ(sums.n_pools, 0);
    XB_EXPECT_EQ(sums.lost, 0);
    XB_EXPECT_EQ(sums.n_least, 1);
    XB_EXPECT_EQ(sums.least[0].touches, 4000);
    expect_size("offsets", sums.least[0].size.bytes, 16 << 20);
    xb_stall_sums_free(&sums);
}

/* A line that one thread stores to and another one uses goes to and fro as with atomics. One that both
 * only read does not, nor do lines that they meet on now and then. */
XB_TEST(StallSums, HotLinesThatOneWritesAndOthersUseAreContended)
{
    struct xb_stall_site site[] = { { .stall = { .kind = XB_STALL_LOAD } },
                                    { .stall = { .kind = XB_STALL_STORE, .writes = true } } };
    struct xb_stalled sample[1000];
    struct xb_stall_sums sums;
    for (uint32_t i = 0; i < 1000; i++) {
        sample[i] = (struct xb_stalled){ .fate = XB_FATE_KNOWN, .tid = 1 + (pid_t)(i % 2) };
        if (i < 100) { /* thread 1 loads what thread 2 stores */
            sample[i].address = BASE;
            sample[i].site = i % 2;
        } else if (i < 200) { /* both load */
            sample[i].address = BASE + 4096;
        } else { /* each line twice, by both */
            sample[i].address = BASE + (uint64_t)i / 2 * 8192;
            sample[i].site = 1;
        }
    }
    XB_EXPECT_EQ(xb_stall_sum(sample, 1000, site, 2, NULL, &sums), 0);
    XB_EXPECT_EQ(sums.contended, 100);
    size_t in_pools = 0;
    for (size_t i = 0; i < sums.n_pools; i++)
        in_pools += sums.pool[i].touches;
    XB_EXPECT_NEAR((double)in_pools, 900, 2);
    xb_stall_sums_free(&sums);
}

/* Where reading on takes long for once, many samples stand in one page, on other lines each. */
XB_TEST(WorkingSet, TwoPagesThatTakeLongDoNotHideTheRest)
{
    enum { BULK = 600, SLOW = 50 };
    struct xb_touch touch[BULK + SLOW];
    uint64_t state = 11, bytes = 1 << 30;
    for (uint32_t i = 0; i < BULK + SLOW; i++)
        touch[i] = (struct xb_touch){ .address = i < SLOW ? BASE + bytes + i * 160
                                                          : anywhere(&state, bytes),
                                      .site = i % 4 };
    struct xb_pool pool = largest(touch, BULK + SLOW);
    XB_EXPECT(pool.touches >= BULK);
    XB_EXPECT(pool.size.bytes > (double)bytes / 4);
}

/* With few samples a line in each page of its own looks like a set that uses those pages: so does not what
 * truly uses them. */
XB_TEST(WorkingSet, ThinlySpreadLinesLeaveInDoubtWhatFewPairsSay)
{
    enum { FEW = 450, SETS = 50, LINES = 8192 };
    struct xb_touch touch[FEW];
    uint64_t state = 10;
    int doubted = 0, whole_doubted = 0;
    for (int set = 0; set < SETS; set++) {
        for (int i = 0; i < FEW; i++) {
            uint64_t line = draw(&state) % LINES;
            touch[i] = (struct xb_touch){ .address = BASE + line * 4096 + line % 64 * 64 };
        }
        struct xb_size thin = largest(touch, FEW).size;
        if (thin.granule > XB_LINE_BYTES && thin.bytes > 4 * LINES * XB_LINE_BYTES) {
            doubted++;
            XB_EXPECT(thin.bytes_least > LINES * XB_LINE_BYTES / 4 &&
                      thin.bytes_least < 4 * LINES * XB_LINE_BYTES);
        }
        for (int i = 0; i < FEW; i++)
            touch[i] = (struct xb_touch){ .address = anywhere(&state, 64 << 20) };
        whole_doubted += largest(touch, FEW).size.bytes_least > 0;
    }
    XB_EXPECT(doubted > SETS / 2); /* in the others there are 16 pairs */
    XB_EXPECT(whole_doubted <= 1);
}

/* As counters of two processes are: hardly a touch is of another line than the one before. */
XB_TEST(WorkingSet, WhoStandsStillOnAFewLinesHasNoLargeSet)
{
    struct xb_touch touch[2000];
    for (uint32_t i = 0; i < 2000; i++)
        touch[i] = (struct xb_touch){
            .address = BASE + (uint64_t)(i % 2) * (UINT64_C(1) << 56) + (i % 500 < 3 ? 4096 : 0),
            .site = i % 2,
            .thread = i % 2,
        };
    XB_EXPECT(largest(touch, 2000).size.bytes <= 4 * 64);
}

/* Whoever yields waits for the others, as long as there are any. */
XB_TEST(StallSums, YieldsCountWhereSeveralThreadsRun)
{
    struct xb_stall_site site[] = {
        { .stall = { .kind = XB_STALL_SYSCALL, .syscall = SYS_sched_yield } },
        { .stall = { .kind = XB_STALL_SYSCALL, .syscall = SYS_getpid } },
        { .stall = { .kind = XB_STALL_SYSCALL, .syscall = -1 } },
    };
    struct xb_stalled sample[60];
    struct xb_stall_sums sums;
    for (int threads = 1; threads <= 2; threads++) {
        for (uint32_t i = 0; i < 60; i++)
            sample[i] = (struct xb_stalled){
                .site = i / 20,
                .tid = 1 + (pid_t)i % threads,
                .work = i < 40 ? XB_WAIT_KERNEL : XB_WAIT_UNKNOWN,
            };
        XB_EXPECT_EQ(xb_stall_sum(sample, 60, site, 3, NULL, &sums), 0);
        XB_EXPECT_EQ(sums.kind[XB_STALL_SYSCALL], 60);
        XB_EXPECT_EQ(sums.yields, threads == 2 ? 20 : 0);
        XB_EXPECT_EQ(sums.work[XB_WAIT_LOCK], sums.yields);
        XB_EXPECT_EQ(sums.work[XB_WAIT_KERNEL], 40 - sums.yields);
        XB_EXPECT_EQ(sums.work[XB_WAIT_UNKNOWN], 20);
        xb_stall_sums_free(&sums);
    }
}

XB_TEST(StallSums, LeaveOutTheShareOfASiteThatDoesNotWait)
{
    struct xb_stall_site site[2] = { { .stall.kind = XB_STALL_LOAD },
                                     { .stall.kind = XB_STALL_LOAD } };
    static struct xb_stalled sample[400];
    struct xb_stall_sums sums;
    for (uint32_t i = 0; i < 400; i++)
        sample[i] = (struct xb_stalled){
            .address = BASE + 64 * (i % 40), .site = i % 2, .tid = 1, .fate = XB_FATE_KNOWN
        };
    XB_EXPECT_EQ(xb_stall_sum(sample, 400, site, 2, (double[]){ 0.25, 1 }, &sums), 0);
    XB_EXPECT_EQ(sums.hidden, 250);
    XB_EXPECT_EQ(sums.of_site[0], 200);
    size_t touches = 0;
    for (size_t i = 0; i < sums.n_pools; i++)
        touches += sums.pool[i].touches;
    XB_EXPECT_EQ(touches, 150);
    xb_stall_sums_free(&sums);
}

XB_TEST(StallSums, OfNoSampleIsZero)
{
    struct xb_stall_sums sums;
    XB_EXPECT_EQ(xb_stall_sum(NULL, 0, NULL, 0, NULL, &sums), 0);
    XB_EXPECT_EQ(sums.n_pools, 0);
    xb_stall_sums_free(&sums);
}

/* Processes that share memory wait for each other as threads do; those that do not have lines of their
 * own at equal addresses. */
XB_TEST(StallSums, AtomicsOfTwoProcessesAreContendedInSharedMemoryOnly)
{
    struct xb_stall_site site[] = { { .stall.kind = XB_STALL_ATOMIC, .pid = 1 },
                                    { .stall.kind = XB_STALL_ATOMIC, .pid = 2 } };
    struct xb_stalled sample[100];
    struct xb_stall_sums sums;
    for (int shared = 0; shared < 2; shared++) {
        for (uint32_t i = 0; i < 100; i++)
            sample[i] = (struct xb_stalled){ .site = i % 2,
                                             .tid = 1 + (pid_t)(i % 2),
                                             .fate = XB_FATE_KNOWN,
                                             .is_shared = shared,
                                             .address = BASE };
        XB_EXPECT_EQ(xb_stall_sum(sample, 100, site, 2, NULL, &sums), 0);
        XB_EXPECT_EQ(sums.contended, shared ? 100 : 0);
        xb_stall_sums_free(&sums);
    }
}
