/* SPDX-License-Identifier: BSD-3-Clause
 * Looks random keys up in a data structure of N entries: lookups MODE N [ROUNDS], for ROUNDS million
 * lookups or until killed.
 *
 *   tree  a binary search tree, nodes of 32 bytes; each result is part of the next key
 *   lru   a cache with a list from newest to oldest, 32 bytes an entry; each hit moves to its head
 *   join  the probes of a hash join: keys in a row, a table of 16 bytes an entry, half full
 *
 * Nothing here is shared with kernels/, on which `xbound classify` may be tuned. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 1;

static uint64_t rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* A number below n from the upper half of x. */
static uint64_t below(uint64_t n, uint64_t x)
{
    return (x >> 32) * n >> 32;
}

static void *array(size_t n, size_t size)
{
    void *p = malloc(n * size);
    if (!p)
        exit(1);
    return memset(p, 0, n * size);
}

struct node {
    uint64_t key, value;
    struct node *child[2];
};

static uint64_t tree(uint64_t n, uint64_t rounds)
{
    struct node *nodes = array(n, sizeof *nodes), *root = NULL;
    uint64_t *keys = array(n, sizeof *keys), last = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct node **at = &root;
        nodes[i].key = keys[i] = rnd();
        nodes[i].value = i;
        while (*at)
            at = &(*at)->child[keys[i] > (*at)->key];
        *at = &nodes[i];
    }
    free(keys);
    for (uint64_t i = 0; i != rounds; i++) {
        /* Any key will do: what is looked for is the last node on the way. */
        uint64_t key = rnd() + (last << 32);
        for (struct node *at = root; at; at = at->child[key > at->key])
            last = at->value;
    }
    return last;
}

struct entry {
    uint64_t key, hits;
    uint32_t newer, older, next, unused;
};

static uint64_t lru(uint64_t n, uint64_t rounds)
{
    /* Entry 0 stands for the list's ends. */
    struct entry *e = array(n + 1, sizeof *e);
    uint32_t *bucket = array(n, sizeof *bucket);
    for (uint32_t i = 1; i <= n; i++) {
        uint64_t b = below(n, i * UINT64_C(0x9e3779b97f4a7c15));
        e[i] = (struct entry){
            .key = i, .older = i - 1, .newer = i < n ? i + 1 : 0, .next = bucket[b]
        };
        bucket[b] = i;
    }
    e[0].older = (uint32_t)n;
    e[0].newer = 1;
    for (uint64_t i = 0; i != rounds; i++) {
        uint64_t key = 1 + below(n, rnd());
        uint32_t at = bucket[below(n, key * UINT64_C(0x9e3779b97f4a7c15))];
        while (e[at].key != key)
            at = e[at].next;
        e[at].hits++;
        e[e[at].newer].older = e[at].older;
        e[e[at].older].newer = e[at].newer;
        e[at].older = e[0].older;
        e[at].newer = 0;
        e[e[0].older].newer = at;
        e[0].older = at;
    }
    return e[1].hits;
}

static uint64_t join(uint64_t n, uint64_t rounds)
{
    struct slot {
        uint64_t key, value;
    } *slots = array(2 * n, sizeof *slots);
    uint64_t sum = 0;
    for (uint64_t i = 1; i <= n; i++) {
        uint64_t at = below(2 * n, i * UINT64_C(0x9e3779b97f4a7c15));
        while (slots[at].key)
            at = at + 1 < 2 * n ? at + 1 : 0;
        slots[at].key = i;
        slots[at].value = i;
    }
    for (uint64_t i = 0; i != rounds; i++) {
        uint64_t key = 1 + below(n, rnd()), at = below(2 * n, key * UINT64_C(0x9e3779b97f4a7c15));
        while (slots[at].key != key)
            at = at + 1 < 2 * n ? at + 1 : 0;
        sum += slots[at].value;
    }
    return sum;
}

int main(int argc, char **argv)
{
    uint64_t n = argc >= 3 ? strtoull(argv[2], NULL, 10) : 0;
    uint64_t rounds = argc == 4 ? strtoull(argv[3], NULL, 10) * 1000000 : UINT64_MAX;
    if (n < 2 || n > 100000000) {
        fputs("Usage: lookups tree|lru|join N [ROUNDS]\n", stderr);
        return 2;
    }
    uint64_t (*run)(uint64_t, uint64_t) = !strcmp(argv[1], "tree")  ? tree
                                          : !strcmp(argv[1], "lru") ? lru
                                                                    : join;
    printf("%llu\n", (unsigned long long)run(n, rounds));
    return 0;
}
