#!/usr/bin/env bash
# Is advice true? Predicts what workers gain real programs, and runs those with each number of workers.
set -euo pipefail

usage() {
    cat <<'EOT'
Usage: scripts/advice-programs.sh [--only NAME]... [--report] XBOUND OUT

Has XBOUND (a path) classify each program with two workers, and advise on it with --verify. OUT/NAME.json
keeps what it said; a later call adds to OUT. Then prints, of all in OUT: the verdict, the predicted and the
fastest number of workers, how much longer it takes with the predicted one, the predicted and the true gain
of that with their intervals, and whether advice held. Needs jq; a program that is not here is skipped.
Takes half a minute each, 8 minutes in all, with the machine alone.
  --only NAME  only this one
  --report     runs nothing: the table of what OUT holds
Advice held where the predicted number takes at most 5 % longer than the fastest, and its predicted gain is
off by 20 % at most; else it is said which of the two it was, WRONG (the number) or UNTRUE (the gain).
Exit codes: 0 all held; 1 not all; 2 usage, or a program failed; 77 nothing to report.
EOT
}

refuse() {
    echo "advice-programs.sh: $*" >&2
    exit 2
}

# name|program it needs|command, in OUT/data; {N} stands for workers.
# Work is the same for every N: what a program takes per worker is divided. And it is much, beside what a
# program takes to start: --disk_util and --eta spare fio a third of a second of that.
programs() {
    cat <<'EOT'
xz|xz|xz -T{N} -2 --block-size=1MiB -k -c words >/dev/null
zstd|zstd|zstd -q -T{N} -B1MiB -12 -k -c words >/dev/null
pigz|pigz|pigz -p {N} -9 -k -c words >/dev/null
lbzip2|lbzip2|lbzip2 -n {N} -k -c words words >/dev/null
sort|sort|sort --parallel={N} -S 600M lines -o /dev/null
sysbench-cpu|sysbench|sysbench cpu --threads={N} --events=6000 --time=0 run
sysbench-memory|sysbench|sysbench memory --threads={N} --memory-block-size=64M --memory-oper=read --memory-total-size=40G --time=0 run
sysbench-lock|sysbench|sysbench threads --threads={N} --thread-yields=200 --thread-locks=1 --events=4000 --time=0 run
fio|fio|fio --name=r --filename=blocks --rw=randread --bs=4k --direct=1 --ioengine=psync --thread --numjobs={N} --number_ios=$((36000 / {N})) --size=64m --randrepeat=1 --norandommap --disk_util=0 --eta=never
sysbench-read|sysbench|sysbench fileio --file-num=16 --file-total-size=16M --file-block-size=4096 --file-test-mode=rndrd --file-extra-flags=direct --threads={N} --events=40000 --time=0 run
sysbench-fsync|sysbench|sysbench fileio --file-num=16 --file-total-size=16M --file-block-size=4096 --file-test-mode=rndwr --file-fsync-all=on --threads={N} --events=8000 --time=0 run
openssl|openssl|seq 16 | xargs -P{N} -I_ openssl dgst -sha512 words words words
stress-ng-cpu|stress-ng|stress-ng --cpu {N} --cpu-method int64 --cpu-ops 4000
make|make|make -s -B -j{N} -f objects.mk
xargs-sleep|xargs|seq 64 | xargs -P{N} -I_ sleep 0.03
curl|curl|curl -s --parallel --parallel-immediate --parallel-max {N} http://127.0.0.1:18080/[1-384] -o /dev/null
EOT
}

# ---- what programs work on ----

prepare() {
    mkdir -p "$out/data"
    cd "$out/data"
    if [ ! -e lines ]; then
        # Words of a few letters out of a seeded generator: compressible, and the same everywhere.
        awk 'BEGIN { srand(7); for (i = 0; i < 1200000; i++)
            print int(rand() * 1e9), substr("abcdefghijklmnop", int(rand() * 8) + 1, int(rand() * 8) + 1) }' >lines
        head -c 16777216 lines >words
        head -c 67108864 /dev/urandom >blocks
        for i in $(seq 24); do
            awk -v f="$i" 'BEGIN { print "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>"
                for (i = 0; i < 120; i++)
                    printf "int f%d_%d(int a, char *s) { for (int i = 0; i < a; i++) " \
                        "s[i %% 7] = (char)(s[i %% 5] * %d + i); return printf(\"%%s\", s); }\n", f, i, i }' >"u$i.c"
        done
        {
            printf 'all: %s\n' "$(seq -f 'u%g.o' -s ' ' 24)"
            printf '%%.o: %%.c\n\tgcc -O1 -c -o $@ $<\n'
        } >objects.mk
    fi
    if [ ! -e test_file.0 ] && command -v sysbench >/dev/null; then
        sysbench fileio --file-num=16 --file-total-size=16M prepare >/dev/null
    fi
}

# Answers each request 5 ms later, with little work for it. Ends with this script.
serve() {
    command -v python3 >/dev/null || return 1
    python3 - <<'EOT' &
import asyncio
async def answer(reader, writer):
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.005)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlate\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    await (await asyncio.start_server(answer, "127.0.0.1", 18080, backlog=256)).serve_forever()
asyncio.run(main())
EOT
    server=$!
    for _ in $(seq 50); do
        curl -s -o /dev/null http://127.0.0.1:18080/ && return 0
        sleep 0.1
    done
    return 1
}

# ---- running ----

measure() {
    local name=$1 needs=$2 command=$3
    if ! command -v "$needs" >/dev/null; then
        echo "advice-programs.sh: $name skipped: $needs is not installed" >&2
        return
    fi
    if [ "$name" = curl ] && ! serve; then
        echo "advice-programs.sh: $name skipped: no server that answers late (python3)" >&2
        return
    fi
    local code=0
    "$xbound" classify --verify "$command" --json -o "$out/$name.json" \
        >/dev/null 2>"$out/$name.err" </dev/null || code=$?
    if [ "$name" = curl ]; then
        kill "$server"
        wait "$server" 2>/dev/null || true
        server=''
    fi
    if [ "$code" -ne 0 ]; then
        echo "advice-programs.sh: $name: xbound classify ended with $code: $(head -n 1 "$out/$name.err")" >&2
        failed=2
    fi
}

report() {
    local name file
    printf '%-16s %-12s %9s %8s %7s  %-23s %-23s %s\n' program verdict predicted fastest longer \
        'predicted gain' 'true gain' held
    while IFS='|' read -r name _; do
        file=$out/$name.json
        [ -s "$file" ] || continue
        jq -r --arg name "$name" '
            def two: if . == null then "-" else (. * 100 | round / 100 | tostring) end;
            def gain(r; key): if r == null then "-" else
                (r[key] | two) + " (" + (r[key + "_lo"] | two) + " - " + (r[key + "_hi"] | two) + ")" end;
            def pad(n): tostring | . + " " * ([n - length, 0] | max);
            def left(n): tostring | " " * ([n - length, 0] | max) + .;
            if .advice.verify.predicted_workers == null then
                ($name | pad(17)) + "no advice: " + (.advice.reason // "?")
            else .advice.verify as $v
            | ([$v.rows[] | select(.workers == $v.predicted_workers)][0]) as $at
            | ($name | pad(17)) + (.class + (if .level then " " + .level else "" end) | pad(13))
              + ($v.predicted_workers | left(9)) + ($v.fastest_workers | left(9))
              + (($v.behind * 1000 | round / 10 | tostring) + " %" | left(8)) + "  "
              + (gain($at; "predicted") | pad(24)) + (gain($at; "gain") | pad(24))
              + (if $v.behind <= 0.05 and ($v.gain_error | fabs) <= 0.2 then "yes" else
                 (if $v.behind <= 0.05 then "" else "WRONG " end)
                 + (if ($v.gain_error | fabs) <= 0.2 then "" else "UNTRUE" end) end)
            end' "$file"
    done < <(programs) | tee "$out/table.txt"
    [ -s "$out/table.txt" ] || exit 77
    echo "advice held for $(grep -c ' yes$' "$out/table.txt" || true) of $(wc -l <"$out/table.txt") programs"
    if grep -qv ' yes$' "$out/table.txt" && [ "$failed" -eq 0 ]; then
        failed=1
    fi
}

only=()
report_only=''
failed=0
server=''
while [ $# -gt 0 ]; do
    case $1 in
        --help) usage && exit 0 ;;
        --only) [ $# -gt 1 ] || refuse "--only needs a name" && only+=("$2") && shift ;;
        --report) report_only=1 ;;
        -*) refuse "unknown option '$1'; see --help" ;;
        *) break ;;
    esac
    shift
done
[ $# -eq 2 ] || refuse "want XBOUND and OUT; see --help"
command -v jq >/dev/null || { echo "advice-programs.sh: skipped: jq is not installed" >&2; exit 77; }
xbound=$(realpath "$1")
[ -x "$xbound" ] || refuse "$1: not a program"
mkdir -p "$2"
out=$(realpath "$2")
for name in "${only[@]}"; do
    programs | grep -q "^$name|" || refuse "--only: there is no '$name'"
done
trap '[ -z "$server" ] || kill "$server"' EXIT

if [ -z "$report_only" ]; then
    prepare
    while IFS='|' read -r name needs command <&3; do
        if [ ${#only[@]} -eq 0 ] || [[ " ${only[*]} " == *" $name "* ]]; then
            measure "$name" "$needs" "$command"
        fi
    done 3< <(programs)
fi
report
exit "$failed"
