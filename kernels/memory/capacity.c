/* SPDX-License-Identifier: BSD-3-Clause
 * Work on more data than memory holds: bound by memory's amount, not by its speed.
 *
 * Sums blocks of a file in random order through a mapping. While the file fits, that is a walk
 * over memory; under a limit that it outgrows the kernel reclaims blocks and reads them again, one
 * at a time, since nobody can tell which is next. Anonymous memory would need swap to be outgrown,
 * which many machines have none of. */
#include "../kernel.h"
#include "../prng.h"
#include "../scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* A page where pages are smallest, so that nothing is read that was not asked for, and a multiple
 * of the sector sizes that O_DIRECT asks for. */
enum { BLOCK_BYTES = 4096, WORDS = BLOCK_BYTES / sizeof(uint64_t) };

/* Written at once, and made clean before more follows: a limit that holds only what waits to be
 * written would stall us, or kill. */
enum { CHUNK_BLOCKS = 1024 };

/* Left unmapped where addresses are what is limited: for each worker's stack and state. */
#define SPARE_BYTES            ((size_t)4 << 20)
#define SPARE_BYTES_PER_WORKER ((size_t)1 << 20)

/* The file, which all workers share. */
struct file {
    int fd; /* -1: none */
    uint64_t stream, n_blocks;
    const uint64_t *map; /* NULL: none */
    uint64_t n_mapped;   /* blocks, from the first; the others are fetched */
};

struct state {
    const struct file *file;
    uint64_t random, start; /* what draws the next block, and this sample's first */
    uint64_t *block;        /* what is fetched, one at a time */
    int fd;                 /* to fetch from; -1: none */
    bool drop;              /* what is fetched has to be put out of the page cache */
};

/* ---- the file ---- */

static uint64_t word_of(const struct file *file, uint64_t block, uint64_t word)
{
    return xb_mix64(file->stream + block * WORDS + word);
}

static int write_blocks(const struct file *file)
{
    uint64_t *chunk = malloc((size_t)CHUNK_BLOCKS * BLOCK_BYTES);
    int err = chunk ? 0 : -ENOMEM;
    for (uint64_t block = 0; block < file->n_blocks && !err; block += CHUNK_BLOCKS) {
        uint64_t left = file->n_blocks - block, n = left < CHUNK_BLOCKS ? left : CHUNK_BLOCKS;
        for (uint64_t i = 0; i < n * WORDS; i++)
            chunk[i] = word_of(file, block, i);
        err = xb_scratch_write(file->fd, chunk, n * BLOCK_BYTES);
        if (!err && fdatasync(file->fd) != 0)
            err = -errno;
    }
    free(chunk);
    return err;
}

/* Maps all of the file, or the most sixteenths of it that leave the spare room. */
static void map_blocks(struct file *file, uint32_t workers)
{
    size_t spare_bytes = SPARE_BYTES + workers * SPARE_BYTES_PER_WORKER;
    for (uint64_t sixteenths = 16; sixteenths > 0 && !file->map; sixteenths--) {
        uint64_t n = file->n_blocks / 16 * sixteenths + file->n_blocks % 16 * (sixteenths == 16);
        if (n == 0)
            return;
        void *map = mmap(NULL, n * BLOCK_BYTES, PROT_READ, MAP_SHARED, file->fd, 0);
        if (map == MAP_FAILED)
            continue;
        void *spare = mmap(NULL, spare_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (spare == MAP_FAILED) {
            munmap(map, n * BLOCK_BYTES);
            continue;
        }
        munmap(spare, spare_bytes);
        /* Reading around a fault would bring what is not asked for, and count it for nothing. */
        madvise(map, n * BLOCK_BYTES, MADV_RANDOM);
        file->map = map;
        file->n_mapped = n;
    }
}

static void team_teardown(void *team)
{
    struct file *file = team;
    if (!file)
        return;
    if (file->map)
        munmap((void *)file->map, file->n_mapped * BLOCK_BYTES);
    if (file->fd >= 0)
        close(file->fd);
    free(file);
}

static int team_setup(const struct xb_params *params, struct xb_memory *memory, void **team)
{
    (void)memory;
    struct file *file = *team = calloc(1, sizeof *file);
    if (!file)
        return -ENOMEM;
    file->fd = -1;
    file->stream = xb_mix64(params->seed);
    file->n_blocks = params->bytes < BLOCK_BYTES ? 1 : params->bytes / BLOCK_BYTES;
    file->fd = xb_scratch_open(params);
    if (file->fd < 0)
        return file->fd;
    int err = write_blocks(file);
    if (err)
        return xb_explain(params, err, "writing %zu bytes to %.60s: %s", params->bytes,
                          params->scratch_dir, strerror(-err));
    map_blocks(file, params->workers);
    return 0;
}

/* ---- the work ---- */

static void begin(void *state)
{
    struct state *s = state;
    s->start = s->random;
}

/* For blocks that are not mapped. What is read past the page cache is read from the device each
 * time; tmpfs before Linux 6.6, and some network file systems, know no such reading. */
static int open_to_fetch(const struct xb_params *params, struct state *s)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", s->file->fd);
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
    if (s->fd >= 0)
        return 0;
    s->drop = true;
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    int err = s->fd < 0 ? -errno : 0;
    if (err)
        return xb_explain(params, err, "opening the blocks for one more worker: %s",
                          strerror(-err));
    posix_fadvise(s->fd, 0, 0, POSIX_FADV_RANDOM);
    posix_fadvise(s->fd, (off_t)(s->file->n_mapped * BLOCK_BYTES), 0, POSIX_FADV_DONTNEED);
    return 0;
}

/* Enters blocks that are in memory into this process's page table: it would otherwise be filled
 * during the first samples, which are to measure neither that nor, for the rest, reading. */
static void touch_what_is_there(const struct file *file)
{
    unsigned char there[256];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), end = file->n_mapped * BLOCK_BYTES;
    const char *map = (const char *)file->map;
    for (size_t at = 0; at < end; at += sizeof there * page) {
        size_t bytes = end - at < sizeof there * page ? end - at : sizeof there * page;
        if (mincore((void *)(map + at), bytes, there) != 0)
            return; /* it only saves time */
        for (size_t i = 0; i * page < bytes; i++)
            if (there[i] & 1)
                (void)*(const volatile char *)(map + at + i * page);
    }
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    struct state *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a walk over blocks");
    s->file = team;
    s->fd = -1;
    s->random = xb_prng_of(params->seed, params->index);
    s->block = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
    if (!s->block)
        return xb_explain(params, -ENOMEM, "no memory for a block");
    if (s->file->map)
        touch_what_is_there(s->file);
    return s->file->n_mapped < s->file->n_blocks ? open_to_fetch(params, s) : 0;
}

static int fetch(const struct xb_params *params, const struct state *s, uint64_t block)
{
    off_t offset = (off_t)(block * BLOCK_BYTES);
    ssize_t n = pread(s->fd, s->block, BLOCK_BYTES, offset);
    int err = n < 0 ? -errno : n < BLOCK_BYTES ? -EIO : 0;
    if (err)
        return xb_explain(params, err, "reading a block again: %s", strerror(-err));
    if (s->drop)
        posix_fadvise(s->fd, offset, BLOCK_BYTES, POSIX_FADV_DONTNEED);
    return 0;
}

/* xb-loop: sum_words: 1+ paddq .*%xmm[0-9]+; 0 \(%rsp\) */
__attribute__((noinline)) static uint64_t sum_words(const uint64_t *words)
{
    uint64_t sum = 0;
    for (int i = 0; i < WORDS; i++)
        sum += words[i];
    return sum;
}

/* Page faults of the calling thread that had to read: getrusage(2). */
static uint64_t faults_that_read(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (uint64_t)usage.ru_majflt;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct state *s = state;
    const struct file *file = s->file;
    uint64_t sum = 0, fetched = 0, faults = faults_that_read();
    for (uint64_t i = 0; i < iters; i++) {
        uint64_t block = xb_prng_below(&s->random, file->n_blocks);
        const uint64_t *words = s->block;
        if (block < file->n_mapped) {
            words = file->map + block * WORDS;
        } else {
            int err = fetch(run->params, s, block);
            if (err)
                return err;
            fetched++;
        }
        sum += sum_words(words);
    }
    did->items += iters;
    did->bytes_read += iters * BLOCK_BYTES;
    did->checksum += sum;
    did->outcome += fetched + faults_that_read() - faults;
    return 0;
}

/* Draws the blocks once more and computes what must stand in them, without a look at the file. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)params;
    const struct file *file = team;
    const struct state *s = state;
    uint64_t random = s->start, sum = 0, fetched = 0;
    for (uint64_t i = 0; i < iters; i++) {
        uint64_t block = xb_prng_below(&random, file->n_blocks);
        for (uint64_t word = 0; word < WORDS; word++)
            sum += word_of(file, block, word);
        fetched += block >= file->n_mapped;
    }
    /* How many faults had to read is the machine's affair. */
    const struct xb_work due = {
        .items = iters,
        .bytes_read = iters * BLOCK_BYTES,
        .checksum = sum,
        .outcome = did->outcome,
    };
    return memcmp(did, &due, sizeof due) != 0 || did->outcome < fetched ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    struct state *s = state;
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->block);
    free(s);
}

/* A block in memory is summed in a third of a microsecond and read again in fifty or more: where
 * one in a hundred is, most of the time is waiting already. A set that fits contradicts both. */
static const struct xb_claim claims[] = {
    { XB_RATIO_OUTCOME, 0.01, INFINITY },
    { XB_RATIO_USER_SHARE, -INFINITY, 0.5 },
};

const struct xb_kernel xb_kernel_memory_capacity = {
    .name = "memory/capacity",
    .summary = "random blocks of a file that outgrows --memory-limit and is read again and again",
    .source = "Denning, \"Thrashing: its causes and prevention\", AFIPS 1968; madvise(2), open(2)",
    .item = "block of 4 KiB",
    .outcome = "blocks_read_again",
    .bound = XB_CLASS_MEMORY,
    .fit = XB_FIT_OWN,
    .own_bytes = (size_t)64 << 20, /* twice the limit, where there is one */
    .needs = XB_NEED_BYTES | XB_NEED_LIMIT,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .team_setup = team_setup,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
    .team_teardown = team_teardown,
};
