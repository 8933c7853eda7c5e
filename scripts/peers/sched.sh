# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# xb-peer: perf (Debian: linux-perf)
# perf bench sched: two tasks that wake each other through pipes, and groups of tasks that write to
# each other through socket pairs (hackbench), as threads and as processes.
#
# Neither side binds its tasks within the CPUs that it is given. Its operation of pipe is a round
# trip, which is two hops of ours; it moves 4 bytes and we 8. What messaging takes includes the end
# of its tasks, so it is given many messages.

# sched_ours MODEL KERNEL WORKERS PARTS: microseconds per so many items.
sched_ours() {
    rm -rf "$work/ours"
    pinned "$xbound" run "$2" --model "$1" --engine blocking --workers "$3" --bind none \
        --samples 3 --min-time "$(awk -v s="$reading_s" 'BEGIN { print s * 1e6 }')us" \
        -o "$work/ours" >"$work/xbound.log" 2>&1 || true
    [[ -e $work/ours/samples.csv ]] || {
        tail -n 1 "$work/xbound.log" >&2
        return 1
    }
    awk -f "$here/csv.awk" -f "$here/peers/reading.awk" -v metric=ns_per_item \
        "$work/ours/samples.csv" "$work/ours/summary.csv" | awk -v n="$4" '{ print $1 * n / 1000 }'
}

# sched_perf N COMMAND...: microseconds per each of the N operations that it does.
sched_perf() {
    pinned perf bench -f simple sched "${@:2}" | awk -v n="$1" '$1 > 0 { print $1 / n * 1e6 }'
}

for model in threads processes; do
    as_threads=()
    [[ $model != threads ]] || as_threads=(--thread)
    for count in "${core_counts[@]}"; do
        ((count <= 2)) || count=2
        figure "sched_pipe_${model}_$count" us lower "$count" - 1
        needs perf linux-perf
        ours "io/pipe_ring $model" sched_ours "$model" io/pipe_ring 2 2
        peer "perf bench sched pipe" sched_perf 40000 pipe -l 40000 "${as_threads[@]}"
    done
    if has io/hackbench; then
        for count in "${core_counts[@]}"; do
            figure "sched_messaging_${model}_$count" us lower "$count" - 1
            needs perf linux-perf
            ours "io/hackbench $model" sched_ours "$model" io/hackbench 40 1
            peer "perf bench sched messaging" sched_perf 200000 messaging -g 1 -l 500 \
                "${as_threads[@]}"
        done
    fi
done
