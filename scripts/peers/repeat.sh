# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# Ourselves once more: do two runs of the same cell agree? By CPU time, within 1 %.

# brief COMMAND...: half the time; there are many of these.
brief() { reading_s=$(awk -v s="$reading_s" 'BEGIN { print s / 2 }') "$@"; }

if [[ $quick = no ]]; then
    while read -r kernel; do
        figure "repeat_${kernel#*/}" ns lower 1 - 0.99 1.01
        ours "$kernel" brief xbound_reads cpu_ns_per_item "$kernel"
        peer "$kernel again" brief xbound_reads cpu_ns_per_item "$kernel"
    done < <(grep -E '^(cpu/|cache/(load|copy|chase)_l[12]$)' <<<"$known")
fi
