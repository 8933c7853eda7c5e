#!/usr/bin/env bash
# Installs what building, charts and (with --test) the tests need, from Debian's or Ubuntu's packages.
# What is there already is left alone; a second run installs nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
Usage: scripts/install-deps.sh [--test] [--peers] [--programs] [--print]
  --test   also what scripts/test.sh needs
  --peers  also what peers.sh, validate-gil.sh and gate-vs-gbench.sh run beside ours, what there is
  --programs  also what classify-programs.sh runs under xbound classify, what there is
  --print  shows the command that would install, and installs nothing
As root it calls apt-get; otherwise it uses sudo, or prints the command and stops with 1.
TEXT
}

with_tests=no
with_peers=no
with_programs=no
print_only=no
for argument in "$@"; do
    case $argument in
    --test) with_tests=yes ;;
    --peers) with_peers=yes ;;
    --programs) with_programs=yes ;;
    --print) print_only=yes ;;
    --help | -h)
        usage
        exit 0
        ;;
    *)
        echo "install-deps.sh: unknown option '$argument'; see --help" >&2
        exit 2
        ;;
    esac
done

PATH=$PATH:/usr/sbin:/usr/games # where some of Debian's commands lie, and not all users look
missing=()
# need COMMAND PACKAGE
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }

need cc gcc
need make make
need cmake cmake
need pkg-config pkg-config
need git git
need gnuplot gnuplot-nox
need fc-list fontconfig
need awk mawk
# gnuplot draws with this font; without it labels take another width than they were laid out for.
[ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || missing+=(fonts-dejavu-core)
# A C compiler without its library's headers builds nothing.
[ -e /usr/include/stdio.h ] || missing+=(libc6-dev)

# Libraries are named by the one source file that uses each.
while read -r library package; do
    # Not all have a file for pkg-config.
    { command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "$library"; } ||
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok' ||
        missing+=("$package")
done < <(grep -rhoE 'xb-(library|header|required): [^ ]+ \(Debian: [^)]+\)' --include='*.c' harness |
    sed -E 's/xb-[a-z]+: ([^ <>=]+)[^ ]* \(Debian: ([^)]+)\)/\1 \2/' | sort -u)

if [ "$with_tests" = yes ]; then
    need c++ g++
    need clang clang
    # scripts/fuzz.sh needs libFuzzer, which clang only recommends.
    compgen -G '/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a' >/dev/null ||
        missing+=(libclang-rt-dev)
    need clang-format clang-format
    need shellcheck shellcheck
    need cppcheck cppcheck
    need objdump binutils
    pkg-config --exists gtest 2>/dev/null || missing+=(libgtest-dev)
    # What reads our exports: xmllint, and Google Benchmark's and Prometheus's own programs.
    need xmllint libxml2-utils
    need jq jq # scripts/classify-programs.sh reads JSON with it
    [ -x /usr/bin/python3 ] || missing+=(python3)
    [ -e /usr/share/benchmark/compare.py ] || missing+=(libbenchmark-tools)
    /usr/bin/python3 -c 'import scipy' 2>/dev/null || missing+=(python3-scipy)
    /usr/bin/python3 -c 'import prometheus_client' 2>/dev/null || missing+=(python3-prometheus-client)
fi

# What to compare with is welcome, not needed: a package that this distribution lacks must not keep
# the others away. The serial OpenBLAS does on its one core what the threaded one does there.
peers=()
before=("${missing[@]}")
missing=()
# need_peer COMMAND|HEADER PACKAGE
need_peer() {
    case $1 in
    *.h) echo "#include <$1>" | cc -E - >/dev/null 2>&1 || missing+=("$2") ;;
    python3+*) /usr/bin/python3 -c "import ${1#*+}" 2>/dev/null || missing+=("$2") ;;
    *) need "$1" "$2" ;;
    esac
}
if [ "$with_peers" = yes ]; then
    # scripts/gate-vs-gbench.sh; its header is C++.
    [ -e /usr/include/benchmark/benchmark.h ] || missing+=(libbenchmark-dev)
    [ -e /usr/share/benchmark/compare.py ] || missing+=(libbenchmark-tools)
    /usr/bin/python3 -c 'import scipy' 2>/dev/null || missing+=(python3-scipy)
    # The file that compares with a peer names it: "# xb-peer: COMMAND|HEADER (Debian: PACKAGE)".
    while read -r peer package; do
        need_peer "$peer" "$package"
    done < <(grep -hE '^# xb-peer: ' scripts/*.sh scripts/peers/*.sh |
        sed -E 's/^# xb-peer: ([^ ]+) \(Debian: ([^)]+)\)$/\1 \2/' | sort -u)
fi
if [ "$with_programs" = yes ]; then
    need jq jq
    # The table's column `needs`: COMMAND|HEADER:PACKAGE, with blanks between.
    while IFS=: read -r program package; do
        need_peer "$program" "$package"
    done < <(awk -v columns=needs -f scripts/csv.awk -f scripts/classify-programs/rows.awk \
        scripts/classify-programs/programs.csv | tr ' ' '\n' | sort -u)
fi
mapfile -t peers < <(printf '%s\n' "${missing[@]}" | sed '/^$/d' | sort -u)
missing=("${before[@]}")

if [ ${#missing[@]} -eq 0 ] && [ ${#peers[@]} -eq 0 ]; then
    [ "$print_only" = no ] || echo "nothing is missing"
    exit 0
fi

install=(apt-get install -y --no-install-recommends)
if [ "$print_only" = yes ]; then
    [ ${#missing[@]} -eq 0 ] || echo "apt-get update && ${install[*]} ${missing[*]}"
    for package in "${peers[@]}"; do echo "${install[*]} $package"; done
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "install-deps.sh: no apt-get here; install what these Debian packages hold:" \
        "${missing[*]} ${peers[*]}" >&2
    [ ${#missing[@]} -eq 0 ] || exit 1
    exit 0
fi
as_root=()
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1 || ! { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        echo "install-deps.sh: not root, and no sudo without a password. Please run as root:" >&2
        echo "    apt-get update && ${install[*]} ${missing[*]} ${peers[*]}" >&2
        [ ${#missing[@]} -eq 0 ] || exit 1
        exit 0
    fi
    as_root=(sudo)
fi
echo "installing: ${missing[*]} ${peers[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q
[ ${#missing[@]} -eq 0 ] || "${as_root[@]}" "${install[@]}" "${missing[@]}"
for package in "${peers[@]}"; do
    "${as_root[@]}" "${install[@]}" "$package" ||
        echo "install-deps.sh: no $package here; what is compared with it will be skipped" >&2
done
