#!/usr/bin/env bash
# Does `xbound classify` name the right bound for programs that nobody tuned it for?
#
# scripts/classify-programs/programs.csv says which programs, what bounds each and why, argued from what
# the program does and not from what any tool said of it. A row's `accept` names other answers that can
# be argued too. Classes: cpu, cache, memory; io (waits for a device or for what comes through a file,
# pipe or socket, or is in the kernel to move such bytes); sync (waits for other workers: locks, barriers,
# and timers); kernel (is in the kernel for anything else); mixed (no class has most of the time).
#
# Half of the programs is to tune on, half to report on. Which is which follows from $seed and the
# names: of each class rows are taken two by two as they stand in the table, and of two the one whose
# hash is smaller is reported, as is one that is left over. So a row added at the end of its class
# never moves another from `tune` to `report`. `origin` is `prototype` where the program and what an
# early prototype answered were written down before the classifier was, `new` where not, and `round2`
# where it was added after the misses of the first reported half had been looked at, `round3` where after
# those of `round2`, `round4` where after those of `round3`, and labelled without sight of any
# answer: both halves of the newest origin are unseen until it is run, and it is run when tuning is over.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: scripts/classify-programs.sh [OPTION...]
Runs `xbound classify --json` on programs of known bound class and writes DIR/programs.csv, a row for
each, then prints how often it was right, with 95 % intervals (Wilson's), and every miss.
  --half H      tune (the default), report or all. Look at report when tuning is over
  --origin O    only programs of that origin: prototype, new, round2, round3 or round4 (see the top
                of this script); with --report only their figures. May be given again
  --only GLOB   only programs whose name fits; may be given again
  --time S      seconds that each is watched, 2 to 60; default 10
  --plain       runs them without xbound, to check the labels: CPU time, states and memory instead
  --report CSV  prints the figures of a programs.csv again
  --list        shows the table, with what is missing here, and runs nothing
  --check       is the table well formed, and the split what the seed says?
  --split       prints the table with the split that the seed says
  --install     installs the programs that are missing first (scripts/install-deps.sh --programs);
                haproxy, memcached and nginx are servers that Debian then starts, if it has an init
  -o DIR        a new or empty folder; default results/runs/<time>-programs
  --help        this text
Needs build/release/xbound (or what $XBOUND names) and jq. Programs that are not here are skipped with a
reason and not counted. Scratch files, up to 2 GiB, lie in results/runs, or in $TMPDIR where that is set.

Verdicts: ok (the class expected), accept (one that can be argued too), mixed (no decision where there
is one), wrong, gross (cpu for memory or io, or the reverse), failed (no answer; counted as not right).
Exit codes: 0 measured, whatever the verdicts; 1 could not be measured, or --check found something;
2 usage; 77 everything was skipped; 130 interrupted, and what was finished is kept.
TEXT
}

seed="xbound programs 2026-11-26"

say() { printf 'classify-programs.sh: %s\n' "$*" >&2; }
refuse() {
    say "$@"
    exit 2
}

export LC_ALL=C.UTF-8
PATH=$PATH:/usr/sbin:/usr/games # not on every user's path, and some programs lie there
top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
here=$top/scripts
programs=$here/classify-programs
table=$programs/programs.csv
columns=name,half,class,accept,level,origin,needs,setup,command,why

origins='prototype new round2 round3 round4'

half=tune
only_origins= # with blanks between
time_s=10
mode=run
install=no
globs=()
directory=
while (($#)); do
    case $1 in
    --help | -h)
        usage
        exit 0
        ;;
    --plain | --list | --check | --split) mode=${1#--} ;;
    --install) install=yes ;;
    --half | --origin | --only | --time | --report | --table | -o | --output)
        (($# > 1)) || refuse "$1 needs a value; see --help"
        case $1 in
        --half) half=$2 ;;
        --origin)
            [[ " $origins " = *" $2 "* && $2 != *' '* ]] ||
                refuse "--origin: '$2' is none of $origins"
            only_origins+=${only_origins:+ }$2
            ;;
        --only) globs+=("$2") ;;
        --time) time_s=$2 ;;
        --report) mode=report report=$2 ;;
        --table) table=$2 ;; # for tests
        *) directory=$2 ;;
        esac
        shift
        ;;
    *) refuse "unknown option '$1'; see --help" ;;
    esac
    shift
done
[[ $half =~ ^(tune|report|all)$ ]] || refuse "--half: '$half' is not tune, report or all"
[[ $time_s =~ ^0*([2-9]|[1-5][0-9]|60)$ ]] ||
    refuse "--time: '$time_s' is not a whole number from 2 to 60"
time_s=$((10#$time_s))

if [[ $mode = report ]]; then
    [[ -r $report ]] || refuse "--report: cannot read $report"
    awk -v only="$only_origins" -f "$here/csv.awk" -f "$programs/report.awk" "$report"
    exit
fi

# ---- the table ----

[[ -r $table ]] || refuse "--table: cannot read $table"
declare -a names=()
declare -A half_of class_of accept_of level_of origin_of needs_of setup_of command_of why_of
faults=()
fault() { faults+=("programs.csv: $*"); }
declare -A due=() # which half the seed says
share_out() { # not split, which set-ups call as the command that it is
    local folder name other class
    local -A hash waiting # by class: a row without its partner
    folder=$(mktemp -d)
    for name in "${names[@]}"; do printf '%s %s' "$seed" "$name" >"$folder/$name"; done
    while read -r class name; do hash[$name]=$class; done < <(cd "$folder" && sha256sum -- *)
    rm -rf -- "$folder"
    for name in "${names[@]}"; do
        class=${class_of[$name]}
        other=${waiting[-$class]:-}
        due[$name]=report waiting[-$class]=$name
        [[ -n $other ]] || continue
        waiting[-$class]=
        if [[ ${hash[$name]} < ${hash[$other]} ]]; then due[$other]=tune; else due[$name]=tune; fi
    done
}
[[ $(head -n 1 "$table") = "$columns" ]] || refuse "--table: the first line of $table is not $columns"
while IFS=$'\x1f' read -r name row_half class accept level origin needs setup command why; do
    [[ -z ${class_of[$name]:-} ]] || fault "$name: there twice"
    names+=("$name")
    half_of[$name]=$row_half class_of[$name]=$class accept_of[$name]=$accept level_of[$name]=$level
    origin_of[$name]=$origin needs_of[$name]=$needs setup_of[$name]=$setup
    command_of[$name]=$command why_of[$name]=$why
done < <(awk -v columns="$columns" -f "$here/csv.awk" -f "$programs/rows.awk" "$table")
((${#names[@]})) || refuse "--table: no program in $table"

classes='cpu cache memory io sync kernel mixed'
member() { [[ " $2 " = *" $1 "* ]]; }
check() {
    local name word others reported=0 all=
    for name in "${names[@]}"; do
        [[ $name =~ ^[A-Za-z0-9-]+$ ]] || fault "$name: not a name of letters, digits and hyphens"
        member "${class_of[$name]}" "$classes" || fault "$name: no class '${class_of[$name]}'"
        for word in ${accept_of[$name]}; do
            member "$word" "$classes" || fault "$name: accepts no class '$word'"
            [[ $word != "${class_of[$name]}" ]] || fault "$name: accepts its own class"
        done
        read -ra others <<<"${accept_of[$name]}"
        ((${#others[@]} <= 2)) || fault "$name: accepts more than two others"
        case ${class_of[$name]}/${level_of[$name]} in
        */ | cache/L2 | cache/LLC | memory/DRAM | io/disk | io/network | sync/lock | sync/timer) ;;
        *) fault "$name: no level '${level_of[$name]}' of ${class_of[$name]}" ;;
        esac
        member "${origin_of[$name]}" "$origins" || fault "$name: its origin is none of $origins"
        [[ -n ${needs_of[$name]} ]] || fault "$name: needs nothing?"
        for word in ${needs_of[$name]}; do
            [[ $word =~ ^[A-Za-z0-9+._-]+:[a-z0-9+.-]+$ ]] ||
                fault "$name: needs '$word', which is not COMMAND|HEADER:PACKAGE"
        done
        all+="$name() { ${setup_of[$name]:-:}"$'\n'"${command_of[$name]}"$'\n}\n'
        [[ -n ${command_of[$name]} ]] || fault "$name: no command"
        ((${#why_of[$name]} >= 10)) || fault "$name: no argument why"
        [[ ${half_of[$name]} = "${due[$name]}" ]] ||
            fault "$name: in the half '${half_of[$name]}', and the seed says ${due[$name]}"
        [[ ${due[$name]} != report ]] || ((++reported))
    done
    [[ -z $(bash -n <<<"$all" 2>&1) ]] || fault "bash cannot read: $(bash -n <<<"$all" 2>&1 | head -n 1)"
    ((reported >= 60)) || fault "only $reported programs to report on; 60 are due"
}
if [[ $mode = check || $mode = split ]]; then
    share_out
fi
if [[ $mode = check ]]; then
    check
    ((${#faults[@]} == 0)) || {
        printf '%s\n' "${faults[@]}" >&2
        exit 1
    }
    for class in $classes; do
        for name in "${names[@]}"; do
            [[ ${class_of[$name]} != "$class" ]] || echo "$class ${half_of[$name]} ${origin_of[$name]}"
        done
    done | awk -v origins="$origins" '
        { n[$1, $2]++; all[$2]++; of[$3, $2]++; if (!seen[$1]++) order[++k] = $1 }
        END {
            printf "%-8s %6s %7s\n", "class", "tune", "report"
            for (i = 1; i <= k; i++)
                printf "%-8s %6d %7d\n", order[i], n[order[i], "tune"], n[order[i], "report"]
            printf "%-8s %6d %7d\n", "all", all["tune"], all["report"]
            printf "\n%-9s %5s %7s\n", "origin", "tune", "report"
            for (i = 1; i <= split(origins, origin, " "); i++)
                printf "%-9s %5d %7d\n", origin[i], of[origin[i], "tune"], of[origin[i], "report"]
        }'
    exit 0
fi

# A line of CSV.
row() {
    local text line=
    for text in "$@"; do
        [[ $text != *[,\"]* ]] || text=\"${text//\"/\"\"}\"
        line+=,$text
    done
    printf '%s\n' "${line:1}"
}
if [[ $mode = split ]]; then
    echo "$columns"
    for name in "${names[@]}"; do
        row "$name" "${due[$name]}" "${class_of[$name]}" "${accept_of[$name]}" "${level_of[$name]}" \
            "${origin_of[$name]}" "${needs_of[$name]}" "${setup_of[$name]}" "${command_of[$name]}" \
            "${why_of[$name]}"
    done
    exit 0
fi

wanted() {
    local glob
    [[ $half = all || ${half_of[$1]} = "$half" ]] || return 1
    [[ -z $only_origins ]] || member "${origin_of[$1]}" "$only_origins" || return 1
    ((${#globs[@]})) || return 0
    for glob in "${globs[@]}"; do
        # shellcheck disable=SC2053 # a glob is what is asked for
        [[ $1 == $glob ]] && return 0
    done
    return 1
}
chosen=()
for name in "${names[@]}"; do
    wanted "$name" && chosen+=("$name")
done
((${#chosen[@]})) ||
    refuse "no program of half '$half' and origin '${only_origins:-any}' fits '${globs[*]:-*}'; see --list"

# The python3 that has numpy need not be the first on the path.
python3=
for candidate in python3 /usr/bin/python3; do
    [[ -n $python3 ]] || ! "$candidate" -c 'import numpy' 2>/dev/null || python3=$(command -v "$candidate")
done
export python3

# missing NAME: why the program cannot run here, or nothing.
missing() {
    local word what
    for word in ${needs_of[$1]}; do
        what=${word%%:*}
        case $what in
        *.h) echo "#include <$what>" | "${CC:-cc}" -E - >/dev/null 2>&1 ;;
        python3+*) [[ -n $python3 ]] && "$python3" -c "import ${what#*+}" 2>/dev/null ;;
        *) command -v "$what" >/dev/null ;;
        esac || {
            echo "$what is not here; Debian package ${word#*:}"
            return
        }
    done
}

if [[ $mode = list ]]; then
    for name in "${chosen[@]}"; do
        why_not=$(missing "$name")
        printf '%-18s %-6s %-9s %-7s %s%s\n' "$name" "${half_of[$name]}" "${origin_of[$name]}" \
            "${class_of[$name]}" "${level_of[$name]:--}${accept_of[$name]:+ (or ${accept_of[$name]})}" \
            "${why_not:+  [$why_not]}"
    done
    exit 0
fi

# ---- running ----

[[ ${directory:-/} = /* ]] || directory=$PWD/$directory
[[ ! -e $directory || (-d $directory && -z $(ls -A -- "$directory")) ]] ||
    refuse "-o: $directory is not an empty folder"
cd "$top"
[[ $install = no ]] || scripts/install-deps.sh --programs
xbound=${XBOUND:-$top/build/release/xbound}
if [[ $mode = run ]]; then
    command -v jq >/dev/null || refuse "jq is not here; Debian package jq"
    [[ -x $xbound ]] || refuse "no $xbound: build it with cmake --preset release && cmake --build --preset release"
    "$xbound" classify --help >/dev/null 2>&1 || refuse "$xbound has no command 'classify'"
    directory=${directory:-$top/results/runs/$(date -u +%Y%m%dT%H%M%SZ)-programs}
    said=$(mkdir -p -- "$directory" 2>&1) || refuse "-o: ${said#mkdir: }"
fi
mkdir -p -- "$top/results/runs"
# Not /tmp, which is memory on many machines, and no disk to wait for.
work=$(mktemp -d "${TMPDIR:-$top/results/runs}/xbound-programs.XXXXXX")

# What is started here begins a session of its own, so that all of it can be found and ended: members
# of session $1, as lines of /proc/*/stat with the name's blanks gone.
session() {
    cat /proc/[0-9]*/stat 2>/dev/null |
        awk -v session="$1" '{ pid = $1; sub(/^.*\) /, ""); if ($4 == session) print pid, $0 }'
}
# What programs say is not wanted, but their last words if they fail are.
export output=$work/output
# shellcheck disable=SC2016 # for the program's shell
quietly='exec >/dev/null 2>"$output"; '
sessions=()
end_sessions() {
    local id signal pids wait
    for id in "${sessions[@]}"; do
        for signal in TERM KILL; do
            mapfile -t pids < <(session "$id" | cut -d ' ' -f 1)
            ((${#pids[@]})) || break
            kill -s "$signal" "${pids[@]}" 2>/dev/null || true
            for ((wait = 0; wait < 20; wait++)); do
                [[ -n $(session "$id" | awk '$2 != "Z"') ]] || break
                sleep 0.05
            done
        done
        wait "$id" 2>/dev/null || true
    done
    sessions=()
}
finish() {
    end_sessions
    cd /
    rm -rf -- "$work"
}
trap finish EXIT
trap 'say "interrupted${directory:+; what was finished is in $directory}"; exit 130' INT TERM

# behind COMMAND...: runs beside the program until that ends.
behind() {
    if [[ $(type -t "$1") = function ]]; then
        setsid bash -c '"$@"' bash "$@" </dev/null >/dev/null 2>"$work/behind" &
    else
        setsid "$@" </dev/null >/dev/null 2>"$work/behind" &
    fi
    sessions+=($!)
}
# shellcheck source=/dev/null
. "$programs/setups.sh"
export -f answers await_port until_served mariadb_server mariadb_client
export here programs

free_port() {
    local i
    for ((i = 0; i < 20; i++)); do
        export port=$((20000 + RANDOM % 10000))
        answers || return 0
    done
}

# set_up NAME: in a new folder, or leaves in $work/said why not.
set_up() {
    rm -rf -- "$work/place"
    mkdir -- "$work/place"
    cd "$work/place"
    free_port
    eval "${setup_of[$1]:-true}" </dev/null >"$work/said" 2>&1 || {
        echo "set-up: $(tail -n 1 "$work/said" | cut -c 1-120)" >"$work/said"
        return 1
    }
    sync -f . # what the set-up wrote is not the program's I/O
}
tear_down() {
    end_sessions
    cd "$top"
    rm -rf -- "$work/place"
}

# What the system says of the program, to check a label by. All of the session that lives at the end is
# counted, with its children that ended; states are those of threads, from a look each 50 ms.
plain() {
    local name=$1 id end rss
    setsid bash -c "$quietly${command_of[$name]}" </dev/null &
    id=$!
    sessions+=("$id")
    end=$((SECONDS + time_s))
    while ((SECONDS < end)); do
        session "$id" | while read -r pid _; do
            cat "/proc/$pid/task/"*/stat 2>/dev/null
        done | sed 's/^.*) //' | cut -d ' ' -f 1
        sleep 0.05
    done >"$work/states"
    session "$id" >"$work/session"
    rss=$(cut -d ' ' -f 1 "$work/session" | while read -r pid; do
        awk '/^VmHWM:/ { print $2 }' "/proc/$pid/status" 2>/dev/null
    done | awk '{ sum += $1 } END { print int(sum / 1024) }')
    [[ -s $work/session ]] || {
        echo "it ended early: $(tail -n 1 "$work/output" | cut -c 1-120)" >"$work/said"
        return 1
    }
    awk -v name="$name" -v class="${class_of[$name]}" -v s="$time_s" -v rss="$rss" \
        -v hz="$(getconf CLK_TCK)" '
        FILENAME ~ /states$/ { state[$1]++; next }
        # utime stime cutime cstime are fields 14 to 17 of stat; pid is here again before them.
        { user += $13 + $15; kernel += $14 + $16; faults += $9 + $10; major += $11 + $12 }
        END {
            all = state["R"] + state["D"] + state["S"]
            printf "%-18s %-7s user %.2f  kernel %.2f  faults %d/s  major %d/s  R %.2f D %.2f S %.2f  %d MiB\n",
                name, class, user / hz / s, kernel / hz / s, faults / s, major / s,
                state["R"] / (all + !all), state["D"] / (all + !all), state["S"] / (all + !all), rss
        }' "$work/states" "$work/session"
}

# Seconds that may pass beyond those it watches, as when it measures this machine's caches first.
grace_s=30

classify() {
    local name=$1 id status=0 got verdict word fields=()
    rm -f -- "$work/json"
    : >"$work/output"
    setsid timeout -k 5 $((time_s + grace_s)) "$xbound" classify --json --time "$time_s" --kill \
        -o "$work/json" -- bash -c "$quietly${command_of[$name]}" </dev/null >"$work/said" 2>&1 &
    id=$!
    sessions+=("$id")
    wait "$id" || status=$?
    got=$(jq -r '[.class, .level, .confidence, (.shares | .cpu, .cache, .memory, .io, .sync, .kernel),
        .samples, .overhead, .seconds] | map(if . == null then "" else tostring end) + ["."] | join("\u001f")' \
        "$work/json" 2>/dev/null) || got=
    IFS=$'\x1f' read -ra fields <<<"${got:-$'\x1f\x1f\x1f\x1f\x1f\x1f\x1f\x1f\x1f\x1f\x1f\x1f.'}"
    [[ ! -e $work/json ]] || cp -- "$work/json" "$directory/$name.json"
    # A program that ended by itself did not do here what the table says.
    if [[ -n ${fields[11]} ]] &&
        awk -v s="${fields[11]}" -v due="$time_s" 'BEGIN { exit !(s < due * 0.9) }'; then
        skipped "$name" "it ended after ${fields[11]} s: $(tail -n 1 "$work/output" | cut -c 1-120)"
        return
    fi
    verdict=failed
    got=${fields[0]}
    if [[ -n $got ]]; then
        : >"$work/said"
        verdict=wrong
        case ${class_of[$name]}-$got in
        cpu-memory | memory-cpu | io-cpu | cpu-io) verdict=gross ;;
        *-mixed | *-unknown) verdict=mixed ;;
        esac
        for word in ${accept_of[$name]}; do
            [[ $got != "$word" ]] || verdict=accept
        done
        [[ $got != "${class_of[$name]}" ]] || verdict=ok
    elif [[ ! -s $work/said ]]; then
        echo "no report, exit code $status: $(tail -n 1 "$work/output")" >"$work/said"
    fi
    row 1 "$name" "${half_of[$name]}" "${origin_of[$name]}" "${class_of[$name]}" "${accept_of[$name]}" \
        "${level_of[$name]}" "$got" "${fields[@]:1:10}" "$verdict" "$(tail -n 1 "$work/said" | cut -c 1-160)" \
        "${why_of[$name]}" >>"$directory/programs.csv"
    printf '%-18s %-7s %s %s: %s\n' "$name" "${class_of[$name]}" "${got:-no answer}" "${fields[1]:-}" "$verdict"
}

skipped() {
    [[ $mode = plain ]] || row 1 "$1" "${half_of[$1]}" "${origin_of[$1]}" "${class_of[$1]}" \
        "${accept_of[$1]}" "${level_of[$1]}" '' '' '' '' '' '' '' '' '' '' '' skipped "$2" \
        "${why_of[$1]}" >>"$directory/programs.csv"
    printf '%-18s skipped: %s\n' "$1" "$2"
}
[[ $mode = plain ]] || row schema name half origin class accept level got got_level confidence share_cpu \
    share_cache share_memory share_io share_sync share_kernel samples overhead verdict reason why \
    >"$directory/programs.csv"
any=no
for name in "${chosen[@]}"; do
    why_not=$(missing "$name")
    if [[ -n $why_not ]]; then
        skipped "$name" "$why_not"
        continue
    fi
    if ! set_up "$name"; then
        skipped "$name" "$(cat "$work/said")"
    elif [[ $mode = plain ]]; then
        plain "$name" || skipped "$name" "$(cat "$work/said")"
        any=yes
    else
        classify "$name"
        any=yes
    fi
    tear_down
done
[[ $any = yes ]] || exit 77
[[ $mode = plain ]] || awk -f "$here/csv.awk" -f "$programs/report.awk" "$directory/programs.csv" |
    tee "$directory/report.txt"
