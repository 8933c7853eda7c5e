/* SPDX-License-Identifier: BSD-3-Clause
 * Matrix product at the pace of the multiply-add pipes: blocked for the caches, packed, and summed
 * in registers. */
#include "../buffer.h"
#include "../keep.h"
#include "../kernel.h"
#include "../prng.h"
#include "../simd.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Entries are integers from 1 to 16: a sum of n products is exact for any n that fits memory. */
enum { VALUES = 16 };

/* A piece of the work, one iteration, multiplies MC rows of a, KC of their columns, with all
 * columns of b: the block of a stays in half of a 1 MiB L2, while slivers of b pass through the L1.
 * On Zen 5 at n = 1024, KC from 256 to 512 and MC from 64 to 192 gave the same within 2 %. The
 * method's outermost loop, over parts of b's width, is left out: b's panel is read once per block
 * of a, a byte for every 32 flops, and n = 4096 is as fast as n = 1024 without it. */
enum { KC = 384, MC = 128 };

/* Doubles between packed rows of a: a line more than KC, so that rows fall on different sets. */
enum { A_STRIDE = KC + 8 };

/* The largest tile of any variant. MC is a multiple of the height. */
enum { TALLEST = 8, WIDEST = 24 };

struct product {
    double *a, *b, *c; /* n x n each, in row order */
    double *packed_a;  /* rows of A_STRIDE doubles */
    double *packed_b;  /* slivers of a tile's width, row by row; start of the buffer */
    size_t span;       /* bytes of the buffer */
    size_t n;
    size_t depth, passes;  /* columns of a in a piece, at most KC; pieces along a row of a */
    size_t height, blocks; /* rows of a in a piece, at most MC; pieces along a column of a */
    size_t piece, start;   /* block by block, pass by pass: the next, and this sample's first */
};

/* A tile of c in registers. With 32 registers: 24 sums, three parts of b, and a value from a, which
 * is loaded once for three multiply-adds, so 11 loads for 24 of them. With 16: 12, 3 and 1. SSE2
 * needs one for the product too and gets 8 sums: 12 were spilled by gcc and a quarter slower. */
#define ROWS(lanes)    ((lanes) == 8 || XB_VECTOR_REGISTERS == 32 ? 8 : 4)
#define VECTORS(lanes) ((lanes) == 2 && XB_VECTOR_REGISTERS == 16 ? 2 : 3)

/* Steps before the end at which the tile's lines of c are asked for: later than the start, where
 * they would be pushed out of the L1 again, which cost 2 % on Zen 5. */
enum { LEAD = 48 };

/* Unrolled by order: gcc would keep the sums in memory. */
#define EACH(i, n) _Pragma("GCC unroll 8") for (int i = 0; i < (n); i++)

/* On to step `end`: a sliver's row of b times a column of packed a. */
#define STEPS(end, lanes, rows, vectors)                   \
    for (; k < (end); k++) {                               \
        vector of_b[vectors];                              \
        EACH(j, vectors) of_b[j] = ((const vector *)b)[j]; \
        EACH(i, rows)                                      \
        {                                                  \
            double of_a = a[i * A_STRIDE];                 \
            EACH(j, vectors) sum[i][j] += of_a * of_b[j];  \
        }                                                  \
        a++;                                               \
        b += VECTORS(lanes) * (lanes);                     \
    }

/* c = or += a b for `rows` rows of packed a, a sliver of b and `depth` steps; `stride` is c's.
 * a is broadcast from rows that were copied as they are: the order tile by tile that is usual
 * elsewhere saves no load, and makes packing a transposition. */
/* xb-loop: multiply_tile_avx512: 24 vfmadd[0-9]+pd .*%zmm; 8 vbroadcastsd .*\(; 0 \(%rsp\) */
/* xb-loop: multiply_tile_avx512: 3 vmov[au]pd .*\(.*%zmm */
/* xb-loop: multiply_tile_avx2: 12 vfmadd[0-9]+pd .*%ymm; 4 vbroadcastsd .*\(; 0 \(%rsp\) */
/* xb-loop: multiply_tile_avx2: 3 vmov[au]pd .*\(.*%ymm */
/* xb-loop: multiply_tile_base: 8 mulpd; 8 addpd; 2 movapd .*\(; 4 movsd .*\(; 0 \(%rsp\) */
#define MULTIPLY(name, target, lanes, rows, vectors)                                           \
    target static void name(const double *a, const double *b, size_t depth, double *c,         \
                            size_t stride, bool first)                                         \
    {                                                                                          \
        typedef double vector __attribute__((vector_size(8 * (lanes)), may_alias));            \
        typedef double loose __attribute__((vector_size(8 * (lanes)), may_alias, aligned(8))); \
        vector sum[rows][vectors] = { 0 };                                                     \
        size_t k = 0, late = depth > LEAD ? depth - LEAD : 0;                                  \
        STEPS(late, lanes, rows, vectors)                                                      \
        double *line = c;                                                                      \
        EACH(i, rows)                                                                          \
        {                                                                                      \
            xb_keep(line); /* or its value would wait in a register for the end */             \
            EACH(j, vectors) __builtin_prefetch(line + j * (lanes), 1);                        \
            line += stride;                                                                    \
        }                                                                                      \
        STEPS(depth, lanes, rows, vectors)                                                     \
        EACH(i, rows)                                                                          \
        {                                                                                      \
            loose *row = (loose *)(c + (size_t)i * stride);                                    \
            if (first)                                                                         \
                EACH(j, vectors) row[j] = sum[i][j];                                           \
            else                                                                               \
                EACH(j, vectors) row[j] += sum[i][j];                                          \
        }                                                                                      \
    }

/* At the right edge, one or two vectors instead of a whole tile: n = 512 is 21 tiles of 24 columns
 * and one of 8. */
#define MULTIPLY_EACH_WIDTH(isa, target, lanes)                               \
    MULTIPLY(multiply_tile_##isa, target, lanes, ROWS(lanes), VECTORS(lanes)) \
    MULTIPLY(multiply_two_##isa, target, lanes, ROWS(lanes), 2)               \
    MULTIPLY(multiply_one_##isa, target, lanes, ROWS(lanes), 1)
XB_EACH_ISA(MULTIPLY_EACH_WIDTH)

typedef void multiply(const double *, const double *, size_t, double *, size_t, bool);
static multiply *const multiply_tile[XB_ISAS] = XB_OF_EACH_ISA(multiply_tile);
static multiply *const multiply_two[XB_ISAS] = XB_OF_EACH_ISA(multiply_two);
static multiply *const multiply_one[XB_ISAS] = XB_OF_EACH_ISA(multiply_one);

static const size_t LANES[XB_ISAS] = { 2, 4, 8 };

static size_t least(size_t x, size_t y)
{
    return x < y ? x : y;
}

/* Rows of b row by row, as the prefetcher likes them, spread over the slivers. What is left of the
 * last sliver is never looked at. */
static void pack_b(struct product *s, size_t from, size_t depth, size_t width)
{
    for (size_t k = 0; k < depth; k++)
        for (size_t j = 0; j < s->n; j += width)
            memcpy(s->packed_b + j * depth + k * width, s->b + (from + k) * s->n + j,
                   least(width, s->n - j) * sizeof(double));
}

static void pack_a(struct product *s, size_t row, size_t rows, size_t from, size_t depth)
{
    for (size_t i = 0; i < rows; i++)
        memcpy(s->packed_a + i * A_STRIDE, s->a + (row + i) * s->n + from, depth * sizeof(double));
}

/* A tile that reaches over an edge of c is made beside it. Rows below the last are what an earlier
 * block left in packed_a; like the columns, they are not copied. */
static void multiply_edge(multiply *tile, const double *a, const double *b, size_t depth, double *c,
                          size_t stride, size_t rows, size_t columns, bool first)
{
    _Alignas(64) double edge[TALLEST * WIDEST];
    tile(a, b, depth, edge, WIDEST, true);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            c[i * stride + j] = edge[i * WIDEST + j] + (first ? 0 : c[i * stride + j]);
}

/* The next piece. The first block of each pass packs b for all of them. A product reads a and b and
 * writes c once, and each piece is charged with its share of that: what is packed, and c's partial
 * sums, are the method's affair. */
static void multiply_piece(struct product *s, enum xb_isa isa, struct xb_work *did)
{
    size_t n = s->n, lanes = LANES[isa], height = ROWS(lanes), width = VECTORS(lanes) * lanes;
    size_t block = s->piece % s->blocks, pass = s->piece / s->blocks;
    size_t row = block * s->height, rows = least(s->height, n - row);
    size_t from = pass * s->depth, depth = least(s->depth, n - from);
    if (block == 0)
        pack_b(s, from, depth, width);
    pack_a(s, row, rows, from, depth);
    for (size_t j = 0; j < n; j += width) {
        size_t columns = least(width, n - j), vectors = (columns + lanes - 1) / lanes;
        multiply *tile = vectors * lanes == width ? multiply_tile[isa]
                         : vectors == 2           ? multiply_two[isa]
                                                  : multiply_one[isa];
        for (size_t i = 0; i < rows; i += height) {
            const double *a = s->packed_a + i * A_STRIDE, *b = s->packed_b + j * depth;
            double *c = s->c + (row + i) * n + j;
            if (rows - i >= height && columns == vectors * lanes)
                tile(a, b, depth, c, n, pass == 0);
            else
                multiply_edge(tile, a, b, depth, c, n, least(height, rows - i), columns, pass == 0);
        }
    }
    for (size_t i = row; i < row + rows; i++)
        did->checksum += (uint64_t)s->c[i * n + i];
    did->items += rows * depth * n;
    did->bytes_read += rows * depth * 2 * sizeof(double);
    did->bytes_written += rows * depth * sizeof(double);
    did->flops += rows * depth * n * 2;
    s->piece = s->piece + 1 < s->passes * s->blocks ? s->piece + 1 : 0;
}

/* Entry i of a, or of b when `which` is 1; both in row order. */
static uint64_t entry(uint64_t stream, size_t i, int which)
{
    return 1 + xb_mix64(stream + i * 2 + (uint64_t)which) % VALUES;
}

/* How many parts of at most `most` cover `n`, and, into *size, the size that makes them alike. */
static size_t parts_of(size_t n, size_t most, size_t multiple, size_t *size)
{
    size_t parts = (n + most - 1) / most;
    *size = ((n + parts - 1) / parts + multiple - 1) / multiple * multiple;
    return (n + *size - 1) / *size;
}

static void begin(void *state)
{
    struct product *s = state;
    s->start = s->piece;
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
    s->passes = parts_of(s->n, KC, 1, &s->depth);
    s->blocks = parts_of(s->n, MC, TALLEST, &s->height);
    size_t elements = s->n * s->n, of_a = MC * A_STRIDE;
    size_t of_b = s->depth * (s->n + WIDEST) / 8 * 8 + 8; /* what follows begins on a line, too */
    s->span = (of_b + of_a + 3 * elements) * sizeof(double);
    s->packed_b = xb_buffer_take(s->span);
    if (!s->packed_b)
        return xb_explain(params, -ENOMEM, "no memory for three matrices of %zu rows", s->n);
    s->packed_a = s->packed_b + of_b;
    s->a = s->packed_a + of_a;
    s->b = s->a + elements;
    s->c = s->b + elements;
    memset(s->packed_b, 0, (of_b + of_a) * sizeof(double));
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
    for (uint64_t i = 0; i < iters; i++)
        multiply_piece(state, run->params->isa, did);
    return 0;
}

/* How often a sample of `iters` pieces did this one, of `lap`. */
static uint64_t visits_of(size_t piece, size_t start, uint64_t iters, uint64_t lap)
{
    return iters / lap + ((piece + lap - start) % lap < iters % lap);
}

/* The diagonal is added up again, pass by pass, in integers from entries drawn again. Then the
 * product is completed, and checked as in Freivalds, "Probabilistic machines can use less running
 * time", 1977: c x = a (b x) for a random vector x; modulo 2^64 nothing is rounded. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    struct product *s = state;
    size_t n = s->n, lap = s->passes * s->blocks;
    uint64_t stream = xb_prng_of(params->seed, params->index);
    uint64_t *x = calloc(2 * n, sizeof *x);
    if (!x)
        return xb_explain(params, -ENOMEM, "no memory to check a matrix product");
    uint64_t *times_x = x + n;
    bool wrong = s->piece != (s->start + iters % lap) % lap;
    struct xb_work rest = { 0 };
    while (s->piece != 0)
        multiply_piece(s, params->isa, &rest);

    for (size_t j = 0; j < n; j++)
        x[j] = xb_mix64(~stream - j);
    for (size_t k = 0; k < n; k++)
        for (size_t j = 0; j < n; j++)
            times_x[k] += entry(stream, k * n + j, 1) * x[j];
    struct xb_work due = { 0 };
    for (size_t i = 0; i < n; i++) {
        uint64_t diagonal = 0, due_x = 0, found_x = 0;
        for (size_t k = 0; k < n; k++) {
            size_t pass = k / s->depth, piece = pass * s->blocks + i / s->height;
            uint64_t visits = visits_of(piece, s->start, iters, lap),
                     a = entry(stream, i * n + k, 0);
            diagonal += a * entry(stream, k * n + i, 1);
            due_x += a * times_x[k];
            found_x += (uint64_t)s->c[i * n + k] * x[k];
            due.items += visits * n;
            if (k + 1 == n || (k + 1) % s->depth == 0)
                due.checksum += visits * diagonal;
        }
        wrong |= iters > 0 && found_x != due_x;
    }
    due.bytes_read = due.items / n * 16;
    due.bytes_written = due.items / n * 8;
    due.flops = due.items * 2;
    free(x);
    return wrong || memcmp(did, &due, sizeof due) != 0 ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    struct product *s = state;
    if (!s)
        return;
    xb_buffer_give(s->packed_b, s->span);
    free(s);
}

/* A step of a tile is 24 multiply-adds and 16 other instructions, in 12 cycles on Zen 5 and 24 on a
 * core with one such pipe. Were all of b's slivers and c's tiles to come from memory, that would be
 * 7 lines for 1000 instructions. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, 1.2, INFINITY },
    { XB_RATIO_LLC_MPKI, -INFINITY, 10 },
    { XB_RATIO_BRANCH_MPKI, -INFINITY, 1 },
};

const struct xb_kernel xb_kernel_cpu_gemm_blocked = {
    .name = "cpu/gemm_blocked",
    .summary = "packed, register-tiled matrix product, as a good library does it",
    .source =
        "Goto, van de Geijn, \"Anatomy of high-performance matrix multiplication\", 2008; BLIS",
    .item = "multiply-add",
    .bound = XB_CLASS_CPU,
    .fit = XB_FIT_OWN,
    .own_bytes = (size_t)3 * 512 * 512 * sizeof(double),
    .needs = XB_NEED_BYTES,
    .isas = XB_ISAS_TO_512,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
