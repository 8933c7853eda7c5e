/* SPDX-License-Identifier: BSD-3-Clause
 * Matrix product by its definition: walks down columns of a matrix stored in rows. */
#include "../buffer.h"
#include "../kernel.h"
#include "../prng.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Entries are integers from 1 to 16: a sum of n products is exact for any n that fits memory. */
enum { VALUES = 16 };

struct product {
    double *a, *b, *c;
    size_t n;           /* rows and columns */
    size_t row, column; /* the next element of c */
    size_t start;       /* this sample's first element, in row order */
};

/* Entry i of a, or of b when `which` is 1; both in row order. */
static uint64_t entry(uint64_t stream, size_t i, int which)
{
    return 1 + xb_mix64(stream + i * 2 + (uint64_t)which) % VALUES;
}

static void begin(void *state)
{
    struct product *s = state;
    s->start = s->row * s->n + s->column;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct product *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for the state of a matrix product");
    s->n = (size_t)sqrt((double)params->bytes / (3 * sizeof(double)));
    if (s->n < 1)
        s->n = 1;
    size_t elements = s->n * s->n;
    s->a = xb_buffer_take(3 * elements * sizeof(double));
    if (!s->a)
        return xb_explain(params, -ENOMEM, "no memory for three matrices of %zu rows", s->n);
    s->b = s->a + elements;
    s->c = s->b + elements;
    uint64_t stream = xb_prng_of(params->seed, params->index);
    for (size_t i = 0; i < elements; i++) {
        s->a[i] = (double)entry(stream, i, 0);
        s->b[i] = (double)entry(stream, i, 1);
        s->c[i] = 0;
    }
    return 0;
}

static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    (void)run;
    struct product *s = state;
    size_t n = s->n, row = s->row, column = s->column;
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < iters; i++) {
        double sum = 0;
        /* xb-loop: run: 2+ addsd; 1+ mul[sp]d; 3+ \(%r; 0 \(%rsp\) */
        for (size_t k = 0; k < n; k++)
            sum += s->a[row * n + k] * s->b[k * n + column];
        s->c[row * n + column] = sum;
        checksum += (uint64_t)sum;
        if (++column == n) {
            column = 0;
            row = row + 1 < n ? row + 1 : 0;
        }
    }
    s->row = row;
    s->column = column;
    did->items += iters;
    did->bytes_read += iters * n * 2 * sizeof(double);
    did->bytes_written += iters * sizeof(double);
    did->flops += iters * n * 2;
    did->checksum += checksum;
    return 0;
}

/* The elements of row i from column x up to, not including, y: sum over k of a[i][k] times the sum
 * of those columns of row k of b, in integers, on entries drawn again. */
static uint64_t sum_part(uint64_t stream, size_t n, size_t i, size_t x, size_t y)
{
    uint64_t sum = 0;
    for (size_t k = 0; k < n; k++) {
        uint64_t of_b = 0;
        for (size_t j = x; j < y; j++)
            of_b += entry(stream, k * n + j, 1);
        sum += entry(stream, i * n + k, 0) * of_b;
    }
    return sum;
}

/* Two identities of order n^2. What a row's elements add up to follows from the sums of the rows
 * of b, as in sum_part(). And c itself is checked as in Freivalds, "Probabilistic machines can use
 * less running time", 1977: c x = a (b x) for a random vector x; modulo 2^64 nothing is rounded. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    struct product *s = state;
    size_t n = s->n;
    uint64_t lap = (uint64_t)n * n, laps = iters / lap, end = s->start + iters % lap;
    uint64_t stream = xb_prng_of(params->seed, params->index);
    uint64_t *x = calloc(3 * n, sizeof *x);
    if (!x)
        return xb_explain(params, -ENOMEM, "no memory to check a matrix product");
    uint64_t *of_row = x + n, *times_x = of_row + n;
    for (size_t j = 0; j < n; j++)
        x[j] = xb_mix64(~stream - j);
    for (size_t k = 0; k < n; k++)
        for (size_t j = 0; j < n; j++) {
            uint64_t b = entry(stream, k * n + j, 1);
            of_row[k] += b;
            times_x[k] += b * x[j];
        }

    uint64_t checksum = 0;
    bool wrong = s->row * n + s->column != end % lap;
    for (size_t i = 0; i < n; i++) {
        uint64_t whole = 0, due_x = 0, found_x = 0, visits = laps;
        for (size_t k = 0; k < n; k++) {
            uint64_t a = entry(stream, i * n + k, 0);
            whole += a * of_row[k];
            due_x += a * times_x[k];
            found_x += (uint64_t)s->c[i * n + k] * x[k];
        }
        /* The sample's elements from `start` to `end` may run past the last row into the first. */
        for (uint64_t first = i * n; first < end; first += lap) {
            uint64_t from = first > s->start ? first : s->start;
            uint64_t to = first + n < end ? first + n : end;
            if (to >= from + n)
                visits++;
            else if (to > from)
                checksum += sum_part(stream, n, i, (size_t)(from - first), (size_t)(to - first));
        }
        checksum += visits * whole;
        wrong |= visits > 0 && found_x != due_x;
    }
    free(x);
    const struct xb_work due = {
        .items = iters,
        .bytes_read = iters * n * 16,
        .bytes_written = iters * 8,
        .flops = iters * n * 2,
        .checksum = checksum,
    };
    return wrong || memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    struct product *s = state;
    if (!s)
        return;
    xb_buffer_give(s->a, 3 * s->n * s->n * sizeof(double));
    free(s);
}

/* At 4 to 6 instructions per product and a new line of b for every eighth, 1000 instructions need
 * 20 to 30 lines; prefetchers follow the column and hide some of them. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_LLC_MPKI, 1, INFINITY },
};

const struct xb_kernel xb_kernel_memory_matmul_naive = {
    .name = "memory/matmul_naive",
    .summary = "textbook matrix product in i, j, k order, matrices larger than any cache",
    .source = "Wolf, Lam, \"A data locality optimizing algorithm\", 1991 (as the bad example)",
    .item = "element",
    .bound = XB_CLASS_MEMORY,
    .fit = XB_FIT_DRAM,
    .needs = XB_NEED_BYTES,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
