/* SPDX-License-Identifier: BSD-3-Clause
 * The instruction before another: a vote of chains that fall in step. */
#include "before.h"

bool xb_insn_at(struct xb_decoder *decoder, const struct xb_window *window, uint64_t at,
                struct xb_insn *out)
{
    if (at < window->first || at - window->first >= window->n)
        return false;
    size_t offset = at - window->first;
    return xb_decode(decoder, window->code + offset, window->n - offset, at, out);
}

uint64_t xb_insn_before(struct xb_decoder *decoder, const struct xb_window *window, uint64_t at)
{
    uint32_t votes[XB_BEFORE_BYTES] = { 0 };
    if (at <= window->first || at - window->first > window->n)
        return 0;
    size_t end = at - window->first;
    if (xb_decoder_code(decoder) == XB_CODE_AARCH64)
        return end >= 4 ? at - 4 : 0;
    size_t from = end > XB_BEFORE_BYTES ? end - XB_BEFORE_BYTES : 0;
    size_t best = end;
    for (size_t i = from; i < end; i++) {
        votes[i - from]++; /* the chain that starts here */
        size_t bytes = xb_decode_bytes(decoder, window->code + i, end - i, window->first + i);
        if (bytes && i + bytes < end)
            votes[i + bytes - from] += votes[i - from];
        else if (bytes && (best == end || votes[i - from] > votes[best - from]))
            best = i;
    }
    return best == end ? 0 : window->first + best;
}
