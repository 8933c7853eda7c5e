# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# xb-peer: perf (Debian: linux-perf)
# perf bench mem: the C library's and the Linux kernel's memcpy and memset. It counts the bytes
# copied, we those read and written, which are twice as many.
#
# What it moves is one byte, over and over, zero for memcpy; ours are random numbers. Some machines
# move zeros faster: on a Zen 5 guest a copy of 128 MiB did 66 to 67 GB/s with zeros and 58 with
# other data, by rep movsb and by non-temporal stores alike (21 interleaved rounds).

# perf_mem memcpy|memset FUNCTION BYTES WAYS: GB/s, with each byte counted in that many ways.
perf_mem() {
    pinned perf bench -f simple mem "$1" -f "$2" -s "${3}B" -l 10 |
        awk -v ways="$4" '$1 > 0 { print $1 * ways / 1e9 }'
}

if [[ $quick = no ]]; then
    figure perf_memcpy GB/s higher 1 "$memory_bytes" 0.98
    ours_kernels gb_per_s memory/copy memory/copy_nt -- --bytes "$memory_bytes"
    needs perf linux-perf
    like memory_copy_1
    remark "perf copies zeros, which some machines move faster than other data"
    for function in default x86-64-unrolled x86-64-movsq x86-64-movsb; do
        peer "perf memcpy $function" perf_mem memcpy "$function" $((memory_bytes / 2)) 2
    done

    figure perf_memset GB/s higher 1 "$memory_bytes" 0.98
    ours_kernels gb_per_s memory/store memory/store_nt -- --bytes "$memory_bytes"
    needs perf linux-perf
    like memory_store_1
    remark "perf stores zeros first, which some machines move faster than other data"
    for function in default x86-64-unrolled x86-64-stosq x86-64-stosb; do
        peer "perf memset $function" perf_mem memset "$function" "$memory_bytes" 1
    done
fi
