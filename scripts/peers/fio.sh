# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# xb-peer: fio (Debian: fio)
# fio: random reads past the page cache through io_uring, and a log with an fsync per record.
#
# Both sides read one file of random bytes, written out once and without holes, with one job on the
# same CPU. Each reading draws its blocks anew from the whole file, with replacement, and takes one
# stretch of time after a stretch as long that does not count. The file also stays in the page cache,
# past which both read: fio left to itself drops it from there, and then checking ours would read it
# all from the disk once more in the middle of each pair.
#
# fio as people call it submits each read by itself. "alike" is told to do as harness/engines/uring.c
# does: buffers registered (files on neither side), and of what has come a quarter of the depth at most
# is taken and answered by one submission. fio takes latencies from submission to completion, we from
# hand-over to the engine to its return.

# A disk's speed changes by the second, on shared ones most: readings are short and pairs many.
fio_mib=512
fio_reading=300ms

# The file that both read, written once; random, as some devices know zeros.
fio_file() {
    local file=$work/fio.data
    [[ -s $file ]] || { head -c $((fio_mib << 20)) /dev/urandom >"$file" && sync "$file"; } || return 1
    cat "$file" >/dev/null # into the page cache, should it have left it
    echo "$file"
}

# fio_reads FIELD OPTION...: that figure of its JSON, which has a line for each; the first is the job's.
fio_reads() {
    local field=$1 log=$work/fio.log
    if ! pinned fio --name=peer --thread --output-format=json --time_based --ramp_time="$fio_reading" \
        --runtime="$fio_reading" \
        --lat_percentiles=1 "${@:2}" >"$log" 2>&1; then
        echo "fio: $(grep -v '^ *$' "$log" | tail -n 1)" >&2
        return 1
    fi
    case $field in
    lat_p99_ns) awk '/"lat_ns"/ { ours = 1 } ours && /"99.000000"/ { print $3 + 0; exit }' "$log" ;;
    *) awk -v field="\"$field\"" '$1 == field && $3 + 0 > 0 { print $3 + 0; exit }' "$log" ;;
    esac
}

fio_random() {
    local file
    file=$(fio_file) && fio_reads "$1" --filename="$file" --size="${fio_mib}m" --rw=randread --bs=4k \
        --direct=1 --invalidate=0 --ioengine=io_uring --iodepth=32 --norandommap --randrepeat=0 "${@:2}"
}

# One sample, as fio's is one: each begins and ends with fewer in flight.
our_random() {
    local file
    file=$(fio_file) && xbound_reads "$1" io/file_rand --file "$file" --depth 32 --engine uring \
        --samples 1 --min-time "$fio_reading" --seed "$RANDOM"
}

# random_figures SUFFIX PAIRS WHAT FIO-OPTION...
random_figures() {
    figure "file_rand_d32$1" read/s higher 1 $((fio_mib << 20)) 0.98
    pairs "$2"
    ours "io/file_rand uring" our_random items_per_s
    needs fio fio
    peer "$3" fio_random iops "${@:4}"

    figure "file_rand_d32${1}_p99" ns lower 1 $((fio_mib << 20)) 0.95
    pairs "$2"
    ours "io/file_rand uring" our_random lat_p99_ns
    needs fio fio
    peer "$3" fio_random lat_p99_ns "${@:4}"
}
random_figures '' 15 "fio io_uring"
[[ $quick = yes ]] || random_figures _alike 45 "fio io_uring, batches of 8" --fixedbufs=1 \
    --iodepth_batch_submit=8 --iodepth_batch_complete_min=1 --iodepth_batch_complete_max=8

# The same log: a segment of 1 MiB, written over from its start, and blocking calls on both sides.
if [[ $quick = no ]]; then
    fio_log() {
        # --overwrite lays the segment out first, as ours is.
        fio_reads iops --filename="$work/fio.log.data" --size=1m --rw=write --bs=512 --fsync=1 \
            --overwrite=1 --ioengine=psync
    }
    our_log() {
        xbound_reads items_per_s io/fsync_log --engine blocking --samples 1 \
            --min-time "$fio_reading"
    }

    figure fsync_log record/s higher 1 1048576 1.0
    pairs 15
    ours "io/fsync_log blocking" our_log
    needs fio fio
    peer "fio psync fsync=1" fio_log
fi
