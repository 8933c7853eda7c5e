/* SPDX-License-Identifier: BSD-3-Clause
 * VEX and EVEX by their fields. */
#include "evex.h"

#include <stdio.h>
#include <string.h>

/* What of a prefix matters here. Register bits 3 are stored inverted. */
struct prefix {
    size_t bytes;
    unsigned map; /* 1: 0f, 2: 0f 38, 3: 0f 3a, 5 and 6: half precision */
    uint8_t index_high, base_high;
    int64_t unit; /* of a displacement of one byte */
};

static bool read_prefix(const uint8_t *code, size_t n, struct prefix *out)
{
    if (n < 6)
        return false;
    *out = (struct prefix){ .unit = 1 };
    switch (code[0]) {
    case 0xc5: /* c5 Rvvvvlpp */
        out->bytes = 2;
        out->map = 1;
        return true;
    case 0xc4: /* c4 RXBmmmmm Wvvvvlpp */
        out->bytes = 3;
        out->map = code[1] & 31;
        break;
    case 0x62: /* 62 RXBr0mmm Wvvvv1pp zllbvaaa */
        out->bytes = 4;
        out->map = code[1] & 7;
        if ((code[1] & 8) || !(code[2] & 4) || (code[3] >> 5 & 3) == 3)
            return false;
        out->unit = code[3] & 16 ? (code[2] & 128 ? 8 : 4) : 16 << (code[3] >> 5 & 3);
        break;
    default:
        return false;
    }
    out->index_high = code[1] & 64 ? 0 : 8;
    out->base_high = code[1] & 32 ? 0 : 8;
    return (out->map >= 1 && out->map <= 3) ||
           (code[0] == 0x62 && (out->map == 5 || out->map == 6));
}

static bool has_immediate(unsigned map, uint8_t opcode)
{
    return map == 3 || (map == 1 && ((opcode >= 0x70 && opcode <= 0x73) || opcode == 0xc2 ||
                                     (opcode >= 0xc4 && opcode <= 0xc6)));
}

/* Gathers and scatters, whose index is a vector. */
static bool has_vector_index(unsigned map, uint8_t opcode)
{
    return map == 2 && ((opcode >= 0x90 && opcode <= 0x93) || (opcode >= 0xa0 && opcode <= 0xa3));
}

bool xb_evex_decode(const uint8_t *code, size_t n, uint64_t at, struct xb_insn *out)
{
    /* In the order in which the CPU numbers them. */
    static const uint8_t number[] = {
        XB_X86_AX,     XB_X86_CX,     XB_X86_DX,     XB_X86_BX,     XB_X86_SP,     XB_X86_BP,
        XB_X86_SI,     XB_X86_DI,     XB_X86_R8,     XB_X86_R8 + 1, XB_X86_R8 + 2, XB_X86_R8 + 3,
        XB_X86_R8 + 4, XB_X86_R8 + 5, XB_X86_R8 + 6, XB_X86_R8 + 7,
    };
    struct prefix prefix;
    if (!read_prefix(code, n, &prefix))
        return false;
    size_t used = prefix.bytes;
    uint8_t opcode = code[used++], modrm = code[used++];
    unsigned mode = modrm >> 6, low = modrm & 7;
    struct xb_operand memory = {
        .base = XB_REG_NONE, .index = XB_REG_NONE, .scale = 1, .index_bytes = 8
    };
    size_t displacement = mode == 1 ? 1 : mode == 2 ? 4 : 0;
    if (mode != 3 && low == 4) {
        if (used >= n)
            return false;
        uint8_t sib = code[used++];
        uint8_t index = (uint8_t)((sib >> 3 & 7) | prefix.index_high);
        memory.scale = (uint8_t)(1u << (sib >> 6));
        memory.index = has_vector_index(prefix.map, opcode) ? XB_REG_OTHER
                       : index == 4                         ? XB_REG_NONE
                                                            : number[index];
        low = sib & 7;
        memory.base = number[low | prefix.base_high];
        if (mode == 0 && low == 5) {
            memory.base = XB_REG_NONE;
            displacement = 4;
        }
    } else if (mode == 0 && low == 5) {
        memory.base = XB_REG_PC;
        displacement = 4;
    } else if (mode != 3)
        memory.base = number[low | prefix.base_high];
    size_t bytes = used + displacement + has_immediate(prefix.map, opcode);
    if (bytes > n || bytes > XB_INSN_BYTES_MAX)
        return false;
    if (displacement == 1)
        memory.displacement = (int8_t)code[used] * prefix.unit;
    else if (displacement == 4) {
        int32_t value;
        memcpy(&value, code + used, sizeof value);
        memory.displacement = value;
    }
    *out = (struct xb_insn){
        .at = at, .bytes = (uint8_t)bytes, .has_memory = mode != 3, .reads = mode != 3
    };
    out->kind = out->has_memory ? XB_INSN_LOAD : XB_INSN_ALU;
    out->memory = memory;
    snprintf(out->text, sizeof out->text, "(vector operation %u:%02x)", prefix.map, opcode);
    return true;
}
