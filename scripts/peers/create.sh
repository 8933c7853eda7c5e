# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# pthread_create() and pthread_join(), fork() and waitpid() as one would write them by hand: what do
# our models add when they make one more worker?

# create thread|process: nanoseconds for each, by the clock on the wall.
create() {
    local program
    program=$(compiled create.c -pthread) && pinned "$program" "$1" "$reading_s"
}

# On one CPU, where the parent sleeps and the child runs: between two CPUs it is the way there that
# would be measured, in a guest by way of the hypervisor.
figure create_thread ns lower 1 - 1
ours "sync/create_join threads" xbound_reads ns_per_item sync/create_join
peer "pthread_create, pthread_join" create thread
pairs 9

figure create_process ns lower 1 - 1
ours "sync/create_join processes" reads_processes
peer "fork, waitpid" create process
pairs 9
remark "not shown why: xbound has 63 mappings and 1.4 MiB of private pages for fork to copy, the peer 24 and 0.1 MiB"

reads_processes() {
    # shellcheck disable=SC2034 # xbound_reads looks at it
    local under=processes
    xbound_reads ns_per_item sync/create_join
}
