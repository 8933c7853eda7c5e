# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# A plain C main with the loop of cpu/mix64 in it: what does the harness add to a loop? By CPU time,
# as a busy neighbour is not the harness.
loop() {
    local program
    program=$(compiled loop.c) && pinned "$program" "$reading_s"
}

figure overhead_mix64 ns lower 1 - 0.995
pairs 25
ours_kernels cpu_ns_per_item_overall cpu/mix64
peer "plain C main" loop
