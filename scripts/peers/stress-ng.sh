# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# xb-peer: stress-ng (Debian: stress-ng)
# stress-ng --stream: copy, scale, add and triad in turn, in compiled C; ours is the triad alone.
#
# Its other memory stressors count bogus operations of no stated size, so nothing can be compared
# with them. --stream gives GB/s only after 4.5 s. But one of its operations is the four loops, which
# read or write ten arrays of four times the cache size it is told, and the time of a few operations
# less that of still fewer has no initialisation in it.

# stress_time OPERATIONS CACHE: seconds.
stress_time() {
    pinned stress-ng --stream 1 --stream-ops "$1" --stream-l3-size "$2" --metrics 2>&1 |
        awk '$2 == "metrc:" && $4 == "stream" && $6 > 0 { print $6; exit }'
}

# stress_stream BYTES: GB/s over three arrays of about that size together.
stress_stream() {
    local cache=$(($1 / 12 / 1024)) few many
    few=$(stress_time 2 "${cache}K") && many=$(stress_time 42 "${cache}K") &&
        awk -v few="$few" -v many="$many" -v bytes=$((cache * 1024 * 4 * 10)) \
            'BEGIN { if (many > few) print 40 * bytes / (many - few) / 1e9 }'
}

if [[ $quick = no ]]; then
    figure stress_stream GB/s higher 1 "$memory_bytes" 0.98
    ours_kernels gb_per_s memory/triad memory/triad_nt -- --bytes "$memory_bytes"
    needs stress-ng stress-ng
    like memory_stream_1
    peer "stress-ng stream" stress_stream "$memory_bytes"
fi
