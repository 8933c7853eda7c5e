/* SPDX-License-Identifier: BSD-3-Clause
 * Programs of known bound class that no package has: walk MODE SIZE[K|M|G], until killed.
 *
 *   list        a dependent load from each line of SIZE bytes, in one random cycle
 *   sum         adds up SIZE bytes in order, 8 at a time, again and again
 *   store       8 bytes stored at random places of SIZE bytes
 *   prefetched  a random line of SIZE bytes, prefetched 16 steps ahead, 400 dependent additions each
 *   matmul      the textbook's product of two SIZE x SIZE matrices of doubles
 *   touch       maps SIZE bytes, stores to each page, unmaps them
 *   bfs         breadth-first searches of a random graph of SIZE bytes, a line for each vertex
 *
 * Nothing here is shared with kernels/, on which `xbound classify` may be tuned. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LINE = 64, PAGE = 4096 };

static uint64_t state = 88172645463325252u;

/* Marsaglia's xorshift64. */
static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("walk: mmap");
        exit(1);
    }
    /* Where a hypervisor shadows page tables, a fault for each 4 KiB would be most of a short run. */
    madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

struct node {
    struct node *next;
    char rest[LINE - sizeof(struct node *)];
};

static void list(size_t bytes)
{
    size_t n = bytes / LINE;
    struct node *nodes = map(n * LINE);
    uint32_t *order = map(n * sizeof *order);
    /* Sattolo's shuffle leaves a single cycle. */
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t i = n - 1; i > 0; i--) {
        size_t j = next() % i;
        uint32_t swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    for (size_t i = 0; i < n; i++)
        nodes[i].next = &nodes[order[i]];
    munmap(order, n * sizeof *order);
    for (struct node *volatile at = nodes;;) {
        struct node *node = at;
        for (int i = 0; i < 1000000; i++)
            node = node->next;
        at = node;
    }
}

static void sum(size_t bytes)
{
    uint64_t *words = map(bytes), all = 0;
    size_t n = bytes / sizeof *words;
    for (size_t i = 0; i < n; i++)
        words[i] = i;
    for (;;) {
        for (size_t i = 0; i < n; i++)
            all += words[i];
        __asm__ volatile("" : "+r"(all) : : "memory");
    }
}

static void store(size_t bytes)
{
    volatile uint64_t *words = map(bytes);
    size_t n = bytes / sizeof *words;
    for (size_t i = 0; i < n; i += PAGE / sizeof *words)
        words[i] = 1;
    uint64_t x = 1;
    for (;;) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        words[((x >> 32) * n) >> 32] = x;
    }
}

static void prefetched(size_t bytes)
{
    enum { AHEAD = 16 };
    volatile uint64_t *words = map(bytes);
    size_t n = bytes / sizeof *words;
    for (size_t i = 0; i < n; i += PAGE / sizeof *words)
        words[i] = i;
    size_t places[AHEAD] = { 0 };
    uint64_t sum = 0;
    for (size_t i = 0;; i++) {
        size_t at = places[i % AHEAD];
        places[i % AHEAD] = next() % n;
        __builtin_prefetch((const void *)&words[places[i % AHEAD]]);
        sum += words[at];
        for (unsigned k = 0; k < 400; k++) {
            sum += k;
            __asm__ volatile("" : "+r"(sum));
        }
    }
}

static void matmul(size_t n)
{
    double *a = map(n * n * sizeof *a), *b = map(n * n * sizeof *b), *c = map(n * n * sizeof *c);
    for (size_t i = 0; i < n * n; i++)
        a[i] = b[i] = (double)(i % 7);
    for (;;) {
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) {
                double sum = 0;
                for (size_t k = 0; k < n; k++)
                    sum += a[i * n + k] * b[k * n + j];
                c[i * n + j] = sum;
            }
        __asm__ volatile("" : : "r"(c) : "memory");
    }
}

static void touch(size_t bytes)
{
    for (;;) {
        volatile char *memory = map(bytes);
        /* One fault for each store, not one for 512. */
        madvise((void *)memory, bytes, MADV_NOHUGEPAGE);
        for (size_t i = 0; i < bytes; i += PAGE)
            memory[i] = 1;
        munmap((void *)memory, bytes);
    }
}

struct vertex {
    uint32_t search; /* the last that came here */
    uint32_t next[LINE / sizeof(uint32_t) - 1];
};

static void bfs(size_t bytes)
{
    enum { DEGREE = LINE / sizeof(uint32_t) - 1 };
    size_t n = bytes / LINE;
    struct vertex *vertices = map(n * sizeof *vertices);
    uint32_t *queue = map(n * sizeof *queue);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < DEGREE; k++)
            vertices[i].next[k] = (uint32_t)(next() % n);
    for (uint32_t search = 1;; search++) {
        size_t taken = 0, put = 0;
        queue[put++] = (uint32_t)(next() % n);
        vertices[queue[0]].search = search;
        while (taken < put) {
            const struct vertex *vertex = &vertices[queue[taken++]];
            for (size_t k = 0; k < DEGREE; k++) {
                uint32_t other = vertex->next[k];
                if (vertices[other].search != search) {
                    vertices[other].search = search;
                    queue[put++] = other;
                }
            }
        }
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(size_t size);
    } modes[] = {
        { "list", list },     { "sum", sum },     { "store", store }, { "prefetched", prefetched },
        { "matmul", matmul }, { "touch", touch }, { "bfs", bfs },
    };
    char *unit = NULL;
    size_t size = argc == 3 ? strtoul(argv[2], &unit, 10) : 0;
    if (unit && *unit)
        size <<= *unit == 'K' ? 10 : *unit == 'M' ? 20 : *unit == 'G' ? 30 : 0;
    for (size_t i = 0; size && i < sizeof modes / sizeof modes[0]; i++)
        if (!strcmp(argv[1], modes[i].name))
            modes[i].run(size);
    fprintf(stderr, "Usage: walk list|sum|store|prefetched|matmul|touch|bfs SIZE[K|M|G]\n");
    return 2;
}
