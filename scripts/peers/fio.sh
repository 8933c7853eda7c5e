# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# xb-peer: fio (Debian: fio)
# fio: random reads past the page cache through io_uring, and a log with an fsync per record.
#
# Both sides read one file, with one job on the same CPU and as many operations in flight. fio submits
# each by itself unless told to batch; with registered buffers and files it is tried as well. It takes
# latencies from submission to completion, we from hand-over to the engine to its return.

# A disk's speed changes by the second, on shared ones most: readings are longer and pairs more.
fio_pairs=15
fio_mib=512
fio_reading_s=0.4

# The file that both read, written once; random, as some devices know zeros.
fio_file() {
    local file=$work/fio.data
    [[ -s $file ]] || { head -c $((fio_mib << 20)) /dev/urandom >"$file" && sync "$file"; } || return 1
    echo "$file"
}

# fio_reads FIELD OPTION...: that figure of its JSON, which has a line for each; the first is the job's.
fio_reads() {
    local field=$1 log=$work/fio.log
    if ! pinned fio --name=peer --thread --output-format=json --time_based --ramp_time=100ms \
        --runtime="$(awk -v s="$fio_reading_s" 'BEGIN { printf "%.0f", s * 1000 }')ms" \
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
        --direct=1 --ioengine=io_uring --iodepth=32 --norandommap --randrepeat=0 "${@:2}"
}

our_random() {
    local file
    file=$(fio_file) && reading_s=$fio_reading_s xbound_reads "$1" io/file_rand --file "$file" \
        --depth 32 --engine uring
}

# fio_peers FIELD
fio_peers() {
    needs fio fio
    peer "fio io_uring" fio_random "$1"
    peer "fio io_uring batched" fio_random "$1" --registerfiles=1 --fixedbufs=1 \
        --iodepth_batch_submit=32 --iodepth_batch_complete_min=1 --iodepth_batch_complete_max=32
}

figure file_rand_d32 read/s higher 1 $((fio_mib << 20)) 0.98
pairs "$fio_pairs"
ours "io/file_rand uring" our_random items_per_s
fio_peers iops

figure file_rand_d32_p99 ns lower 1 $((fio_mib << 20)) 0.95
pairs "$fio_pairs"
ours "io/file_rand uring" our_random lat_p99_ns
fio_peers lat_p99_ns

# The same log: a segment of 1 MiB, written over from its start, and blocking calls on both sides.
if [[ $quick = no ]]; then
    fio_log() {
        # --overwrite lays the segment out first, as ours is.
        fio_reads iops --filename="$work/fio.log.data" --size=1m --rw=write --bs=512 --fsync=1 \
            --overwrite=1 --ioengine=psync
    }
    our_log() { reading_s=$fio_reading_s xbound_reads items_per_s io/fsync_log --engine blocking; }

    figure fsync_log record/s higher 1 1048576 0.98
    pairs "$fio_pairs"
    ours "io/fsync_log blocking" our_log
    needs fio fio
    peer "fio psync fsync=1" fio_log
fi
