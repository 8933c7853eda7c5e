# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# Locks and barriers of the C library, and an atomic counter, in a loop written by hand: what ours
# cost beside them when nobody else wants the lock, and when two or sixteen do. Both sides of the
# barrier leave each other numbers, as a meeting is for that.

# locks mutex|atomic|barrier THREADS: nanoseconds per item of all threads.
locks() {
    local program
    program=$(compiled locks.c -pthread) && pinned "$program" "$1" "$2" "$reading_s"
}

# lock_figure NAME KIND CPUS THREADS KERNEL PEER
lock_figure() {
    figure "$1" ns lower "$3" - 1
    pairs 15
    ours_kernels ns_per_item "$5" -- --workers "$4"
    peer "$6" locks "$2" "$4"
}

lock_figure lock_alone mutex 1 1 sync/counter_mutex "pthread_mutex"
lock_figure atomic_alone atomic 1 1 sync/counter_atomic "fetch-and-add loop"
if ((all_cpus > 1)); then
    lock_figure lock_2 mutex 2 2 sync/counter_mutex "pthread_mutex"
    lock_figure atomic_2 atomic 2 2 sync/counter_atomic "fetch-and-add loop"
    lock_figure barrier_2 barrier 2 2 sync/barrier "pthread_barrier"
    lock_figure barrier_16 barrier 2 16 sync/barrier "pthread_barrier"
fi
