#!/usr/bin/env bash
# Prints the README's table of one run: every class of work under every model, and which model wins.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: scripts/readme-table.sh RUN [KERNEL...]
Prints, as Markdown, the throughput of each execution model relative to threads, with its 95 %
interval, from RUN/summary.csv: a row for each KERNEL, or for a few of each class unless given. Cells of
a row have equal work and equal numbers of workers: as many as CPUs, or the next that were measured; for
I/O many more, as workers mostly wait. Of a model that ran with several engines, the best one counts and
is named. Bold is a winner whose interval lies above all others'.
  --help   this text
Exit codes: 0 fine; 2 usage or no such run.
TEXT
}

refuse() {
    printf 'readme-table.sh: %s\n' "$*" >&2
    exit 2
}

case ${1:-} in
--help | -h)
    usage
    exit 0
    ;;
-*) refuse "unknown option '$1'; see --help" ;;
esac
(($#)) || refuse "want RUN; see --help"
run=$1
shift
for file in summary.csv provenance.csv; do
    [[ -r $run/$file ]] || refuse "$run/$file: no such file; want a run folder, results/runs/<id>"
done

# Chosen so that each says something of its class that the others do not.
chosen=(cpu/mix64 cpu/fma_peak cpu/gemm_blocked
    cache/load_l2 cache/chase_l2 cache/line_share
    memory/triad memory/chase_dram memory/first_touch
    io/line_count io/file_rand io/fsync_log io/socket_echo io/http_get io/pipe_ring io/hackbench
    sync/counter_atomic sync/counter_mutex sync/counter_sharded sync/barrier sync/token_ring
    sync/queue sync/philosophers_naive sync/philosophers_ordered sync/create_join sync/yield
    sync/pass_pipe sync/pass_queue)
(($# == 0)) || chosen=("$@")

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
export LC_ALL=C.UTF-8
cpus=$(awk -f "$here/csv.awk" -f <(echo 'field("key") == "pus" { print number("value") }') \
    "$run/provenance.csv")
awk -f "$here/csv.awk" -f "$here/readme-table.awk" -v cpus="${cpus:-0}" -v chosen="${chosen[*]}" \
    "$run/summary.csv"
