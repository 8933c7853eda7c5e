/* SPDX-License-Identifier: BSD-3-Clause
 * Checksums of blocks: CRC-32C of 4 KiB each, as storage and iSCSI compute it. */
#include "../buffer.h"
#include "../kernel.h"
#include "../prng.h"
#include "../simd.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Castagnoli's polynomial with the bits reversed: the lowest bit of a word is the first sent. */
#define POLYNOMIAL UINT32_C(0x82f63b78)

/* Words of 8 bytes in a block and in its parts; the first also takes what division leaves. */
enum { BLOCK = 4096, WORDS = BLOCK / 8, PARTS = 6, PART = WORDS / PARTS, EXTRA = WORDS % PARTS };

struct blocks {
    /* by_byte[k][b]: the CRC register after byte b and k zero bytes. */
    uint32_t by_byte[8][256];
    /* over[k][b]: a register that holds b in its k-th byte, PART zero words later. */
    uint32_t over[4][256];
    uint64_t *word;
    size_t n_blocks;
    size_t start, next; /* blocks: this sample's first, and now */
};

/* Slicing by 8: eight bytes take eight look-ups that do not wait for each other (Kounavis and
 * Berry, "A systematic approach to building high performance, software-based, CRC generators",
 * ISCC 2005). The first four bytes of a word meet the register. */
/* xb-loop: crc_base: 7+ xorl? .*\(; 0 crc32 */
static uint32_t crc_base(const struct blocks *s, const uint64_t *word)
{
    uint32_t crc = ~UINT32_C(0);
    for (int i = 0; i < WORDS; i++) {
        uint64_t v = word[i] ^ crc;
        crc = s->by_byte[7][v & 255] ^ s->by_byte[6][v >> 8 & 255] ^ s->by_byte[5][v >> 16 & 255] ^
              s->by_byte[4][v >> 24 & 255] ^ s->by_byte[3][v >> 32 & 255] ^
              s->by_byte[2][v >> 40 & 255] ^ s->by_byte[1][v >> 48 & 255] ^ s->by_byte[0][v >> 56];
    }
    return ~crc;
}

#if defined(__x86_64__)
/* The crc32 instruction of SSE4.2, which every CPU with AVX2 has. A result takes 3 cycles, but one
 * or two can start in each, hence parts side by side (Gopal et al., "Fast CRC computation for iSCSI
 * polynomial using CRC32 instruction", Intel 2011). They have three; on Zen 5 words took 128 ns by
 * three, 75 by six and 75 by eight. Parts are joined by a table, as Adler's crc32c.c does:
 * PCLMULQDQ is not implied by AVX2. Nor does our AVX-512 imply VPCLMULQDQ, so there is no variant
 * of 512 bits. */
#    define EACH_PART _Pragma("GCC unroll 6") for (int k = 0; k < PARTS; k++)

/* xb-loop: crc_avx2: 6+ crc32q; 0 %rsp */
__attribute__((target("sse4.2"))) static uint32_t crc_avx2(const struct blocks *s,
                                                           const uint64_t *word)
{
    uint64_t part[PARTS] = { UINT32_C(0xffffffff) };
    for (int i = 0; i < EXTRA; i++)
        part[0] = __builtin_ia32_crc32di(part[0], word[i]);
    word += EXTRA;
    for (int i = 0; i < PART; i++)
        EACH_PART part[k] = __builtin_ia32_crc32di(part[k], word[k * PART + i]);
    uint64_t crc = 0;
    EACH_PART crc = part[k] ^ s->over[0][crc & 255] ^ s->over[1][crc >> 8 & 255] ^
                    s->over[2][crc >> 16 & 255] ^ s->over[3][crc >> 24 & 255];
    return ~(uint32_t)crc;
}
#endif

static uint32_t (*const crc_of[XB_ISAS])(const struct blocks *,
                                         const uint64_t *) = XB_OF_EACH_ISA_TO_256(crc);

/* A register passed over `bytes` zero bytes by table. */
static uint32_t pass_zeros(const struct blocks *s, uint32_t crc, size_t bytes)
{
    for (; bytes; bytes--)
        crc = s->by_byte[0][crc & 255] ^ crc >> 8;
    return crc;
}

/* CRCs are linear: a register is the exclusive or of its bits, and so is where they lead. */
static void fill_over(struct blocks *s)
{
    for (int k = 0; k < 4; k++)
        for (int bit = 0; bit < 8; bit++) {
            uint32_t led = pass_zeros(s, UINT32_C(1) << (8 * k + bit), PART * 8);
            for (int b = 0; b < 1 << bit; b++)
                s->over[k][(1 << bit) + b] = s->over[k][b] ^ led;
        }
}

static void fill_tables(struct blocks *s)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
        s->by_byte[0][b] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int b = 0; b < 256; b++)
            s->by_byte[k][b] = pass_zeros(s, s->by_byte[k - 1][b], 1);
    fill_over(s);
}

static void begin(void *state)
{
    struct blocks *s = state;
    s->start = s->next;
}

static int setup(const struct xb_params *params, void *team, void **state)
{
    (void)team;
    struct blocks *s = *state = calloc(1, sizeof *s);
    if (!s)
        return xb_explain(params, -ENOMEM, "no memory for tables of a CRC");
    s->n_blocks = params->bytes < BLOCK ? 1 : params->bytes / BLOCK;
    s->word = xb_buffer_take(s->n_blocks * BLOCK);
    if (!s->word)
        return xb_explain(params, -ENOMEM, "no memory for %zu blocks of 4 KiB", s->n_blocks);
    fill_tables(s);
    uint64_t random = xb_prng_of(params->seed, params->index);
    for (size_t i = 0; i < s->n_blocks * WORDS; i++)
        s->word[i] = xb_prng_next(&random);
    return 0;
}

/* No block waits for the one before, so what joins the parts overlaps with the next block. */
static int run(struct xb_run *run, void *state, uint64_t iters, struct xb_work *did)
{
    struct blocks *s = state;
    size_t next = s->next;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < iters; i++) {
        sum += crc_of[run->params->isa](s, s->word + next * WORDS);
        next = next + 1 < s->n_blocks ? next + 1 : 0;
    }
    s->next = next;
    did->items += iters;
    did->bytes_read += iters * BLOCK;
    did->checksum += sum;
    return 0;
}

/* Divides polynomials with the highest bit first, a byte at a time (Sarwate, "Computation of cyclic
 * redundancy checks via table look-up", 1988): the mirror image of what run() does, with the
 * polynomial as the standard prints it (RFC 3720, section 12.1) and tables of its own. */
struct mirror {
    uint32_t divided[256];
    uint8_t flipped[256]; /* a byte with its bits reversed */
};

static void fill_mirror(struct mirror *mirror)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b << 24, flipped = 0;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc << 1 ^ (crc >> 31 ? UINT32_C(0x1edc6f41) : 0);
            flipped |= (b >> bit & 1) << (7 - bit);
        }
        mirror->divided[b] = crc;
        mirror->flipped[b] = (uint8_t)flipped;
    }
}

static uint32_t divide(const struct mirror *mirror, uint32_t crc, uint8_t byte)
{
    return crc << 8 ^ mirror->divided[crc >> 24 ^ mirror->flipped[byte]];
}

/* The register as the standard sends it. */
static uint32_t finish(const struct mirror *mirror, uint32_t crc)
{
    uint32_t sent = 0;
    for (int byte = 0; byte < 4; byte++)
        sent |= (uint32_t)mirror->flipped[crc >> (24 - 8 * byte) & 255] << 8 * byte;
    return ~sent;
}

/* Draws the blocks again, one lap at most, and takes the standard's own example first. */
static int verify(const struct xb_params *params, void *team, void *state, uint64_t iters,
                  const struct xb_work *did)
{
    (void)team;
    const struct blocks *s = state;
    struct mirror mirror;
    fill_mirror(&mirror);
    uint32_t crc = ~UINT32_C(0);
    for (int i = 0; i < 32; i++)
        crc = divide(&mirror, crc, (uint8_t)i);
    if (finish(&mirror, crc) != UINT32_C(0x46dd794e)) /* RFC 3720, B.4: bytes 0 to 31 */
        return -EBADMSG;

    uint64_t random = xb_prng_of(params->seed, params->index), sum = 0;
    for (size_t block = 0; block < s->n_blocks; block++) {
        crc = ~UINT32_C(0);
        for (int i = 0; i < WORDS; i++) {
            uint64_t word = xb_prng_next(&random);
            for (int byte = 0; byte < 8; byte++, word >>= 8)
                crc = divide(&mirror, crc, (uint8_t)word);
        }
        uint64_t place = (block + s->n_blocks - s->start) % s->n_blocks;
        uint64_t times = iters / s->n_blocks + (place < iters % s->n_blocks);
        sum += times * finish(&mirror, crc);
    }
    const struct xb_work due = {
        .items = iters,
        .bytes_read = iters * BLOCK,
        .checksum = sum,
    };
    bool there = s->next == (s->start + iters) % s->n_blocks;
    return memcmp(did, &due, sizeof due) != 0 || !there ? -EBADMSG : 0;
}

static void teardown(void *state)
{
    struct blocks *s = state;
    if (!s)
        return;
    xb_buffer_give(s->word, s->n_blocks * BLOCK);
    free(s);
}

/* Tables take about four instructions for each byte; a crc32 can start in each cycle. */
static const struct xb_claim claims[] = {
    { XB_RATIO_USER_SHARE, 0.7, INFINITY },
    { XB_RATIO_IPC, 1.2, INFINITY },
    { XB_RATIO_L1D_MPKI, -INFINITY, 5 },
    { XB_RATIO_BRANCH_MPKI, -INFINITY, 5 },
};

/* 16 KiB of blocks and 8 or 4 KiB of tables stay in any L1. */
const struct xb_kernel xb_kernel_cpu_crc32c = {
    .name = "cpu/crc32c",
    .summary = "CRC-32C of 4 KiB blocks: the CPU's instruction, or tables",
    .source = "Gopal et al., Intel white paper, 2011; Kounavis and Berry, ISCC 2005; RFC 3720",
    .item = "block",
    .bound = XB_CLASS_CPU,
    .fit = XB_FIT_OWN,
    .own_bytes = 16 << 10,
    .needs = XB_NEED_BYTES,
    .isas = XB_ISAS_TO_256,
    .claims = claims,
    .n_claims = sizeof claims / sizeof *claims,
    .setup = setup,
    .begin = begin,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
