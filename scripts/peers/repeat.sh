# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# Ourselves once more: do two runs of the same cell agree? By CPU time, within 1 %.

if [[ $quick = no ]]; then
    while read -r kernel; do
        figure "repeat_${kernel#*/}" ns lower 1 - 0.99 1.01
        pairs 15
        ours "$kernel" xbound_reads cpu_ns_per_item "$kernel" --caches claimed
        peer "$kernel again" xbound_reads cpu_ns_per_item "$kernel" --caches claimed
    done < <(grep -E '^(cpu/|cache/(load|copy|chase)_l[12]$)' <<<"$known")
fi
