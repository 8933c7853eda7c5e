# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# xb-peer: isa-l.h (Debian: libisal-dev)
# ISA-L: CRC-32C in hand-written assembly.

# isal_crc BYTES: GB/s of checksums over a buffer of that size.
isal_crc() {
    local program
    program=$(compiled crc.c -lisal) && pinned "$program" "$1" "$reading_s"
}

figure crc32c GB/s higher 1 24576 0.98
ours_kernels gb_per_s cpu/crc32c -- --bytes 24576
needs isa-l.h libisal-dev
peer "ISA-L crc32_iscsi" isal_crc 24576
