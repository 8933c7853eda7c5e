# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# xb-peer: cblas.h (Debian: libopenblas-serial-dev)
# OpenBLAS: matrix product on one core. Its kernels are named after the CPUs they were written for;
# what it picks by itself on a CPU younger than it is need not be its best.

# dgemm CORE: GFLOP/s of the kernel for that core, or of its own choice.
dgemm() {
    local program
    program=$(compiled dgemm.c -lopenblas) || return 1
    [[ $1 = default ]] || export OPENBLAS_CORETYPE=$1
    OPENBLAS_NUM_THREADS=1 pinned "$program" 1024 "$reading_s"
}

# Three matrices of 1024 x 1024 doubles.
figure dgemm_1024 GFLOP/s higher 1 25165824 0.90
ours_kernels gflop_per_s cpu/gemm_blocked -- --bytes 25165824
needs cblas.h libopenblas-dev
for core in default Haswell Zen SkylakeX Cooperlake; do
    peer "OpenBLAS $core" dgemm "$core"
done
