#!/usr/bin/env bash
# Runs xbound on an emulated PMU: an arm64 guest under QEMU that counts instructions exactly.
#
# Usage: scripts/test-papi-emulated.sh [--show]   --show: also what xbound doctor --counters says
# Everything comes from Debian packages, unpacked below build/papi-emulated (300 MB) and installed
# nowhere. Exit code: 0 passed, 1 failed, 77 skipped where the packages are out of reach.
#
# QEMU's -icount makes the guest's clock, and so its counters, follow the instructions that it
# executes: counts are the same in each run. It counts instructions and cycles; all other events of
# the PMU can be opened and stay 0, and the audit has to find that out.
#   cortex-a57   PAPI 7.0 has presets for it
#   neoverse-n1  PAPI 7.0 has none: the kernel's generic names have to serve
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/build/papi-emulated
started=$SECONDS
failures=0
passes=0
show=no

case ${1:-} in
--help | -h)
    sed -n '2,8s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
--show) show=yes ;;
'') ;;
*)
    echo "test-papi-emulated.sh: unknown option '$1'; see --help" >&2
    exit 2
    ;;
esac

skip() {
    echo "test-papi-emulated.sh: skipped: $*"
    exit 77
}

check() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@"; then
        passes=$((passes + 1))
    else
        echo "test-papi-emulated.sh: FAILED: $what" >&2
        failures=$((failures + 1))
    fi
}

# ---- packages ----

# A package state of our own for an architecture, so that the machine's stays as it is.
apt_state() { # ARCHITECTURE
    local dir=$cache/apt-$1
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/etc"
    : >"$dir/status"
    [ "$1" != "$host" ] || cp /var/lib/dpkg/status "$dir/status"
    cat >"$dir/apt.conf" <<TEXT
APT::Architecture "$1"; APT::Architectures { "$1"; }; APT::Install-Recommends "false";
APT::Sandbox::User ""; Acquire::Languages "none"; Acquire::Retries "1";
Acquire::http::Timeout "20"; Acquire::https::Timeout "20";
Dir::State "$dir"; Dir::State::Lists "$dir/lists"; Dir::State::status "$dir/status";
Dir::Cache "$dir/cache"; Dir::Log "$dir"; Dir::Etc::sourcelist "/etc/apt/sources.list";
Dir::Etc::sourceparts "/etc/apt/sources.list.d"; Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "$dir/etc"; Dir::Etc::parts "$dir/etc"; Dir::Etc::main "-";
TEXT
    APT_CONFIG=$dir/apt.conf apt-get -qq update
}

# What of these packages and of those that they need is not installed here.
missing() { # PACKAGE...
    APT_CONFIG=$cache/apt-$host/apt.conf apt-get --print-uris -y install "$@" |
        awk '/^.(http|https|file|cdrom|mirror)/ { sub(/_.*/, "", $2); print $2 }'
}

unpack() { # ARCHITECTURE FOLDER PACKAGE...
    local conf=$cache/apt-$1/apt.conf to=$cache/$2 deb
    shift 2
    mkdir -p "$to.deb" "$to"
    (cd "$to.deb" && APT_CONFIG=$conf apt-get -qq download "$@")
    for deb in "$to.deb"/*.deb; do dpkg -x "$deb" "$to"; done
    rm -rf "$to.deb"
}

# What xbound cannot do without, there, and PAPI.
guest_packages=(libc6 libgcc-s1 libpapi7.0 libpapi-dev libpfm4 libpfm4-dev libjansson4 libjansson-dev busybox-static)

is_ready() { [ "$(cat "$cache/ready" 2>/dev/null)" = "${guest_packages[*]}" ]; }

fetch() {
    local packages kernel libc
    rm -rf "$cache"
    mkdir -p "$cache"
    apt_state "$host" && apt_state arm64 || return 1
    packages=$(missing qemu-system-arm gcc-aarch64-linux-gnu libc6-dev-arm64-cross cpio) || return 1
    # shellcheck disable=SC2086 # one package a word
    unpack "$host" host $packages cpio &&
        unpack arm64 guest "${guest_packages[@]}" || return 1
    kernel=$(APT_CONFIG=$cache/apt-arm64/apt.conf apt-cache depends linux-image-cloud-arm64 |
        awk '/Depends: linux-image/ { print $2; exit }')
    [ -n "$kernel" ] && unpack arm64 kernel "$kernel" || return 1
    mv "$cache"/kernel/boot/vmlinuz-* "$cache/vmlinuz"
    rm -rf "$cache/kernel" "$cache/apt-$host" "$cache/apt-arm64"
    # The linker's script names folders from the root.
    libc=$cache/host/usr/aarch64-linux-gnu/lib/libc.so
    [ ! -e "$libc" ] || sed -i 's#/usr/aarch64-linux-gnu/lib/##g' "$libc"
    echo "${guest_packages[*]}" >"$cache/ready"
}

for program in apt-get dpkg cmake pkg-config gzip; do
    command -v $program >/dev/null 2>&1 || skip "there is no $program here"
done
host=$(dpkg --print-architecture)
[ "$host" = amd64 ] || skip "the cross compiler's packages are looked for on amd64, not on $host"
if ! is_ready; then
    mkdir -p "$cache"
    # Not "if fetch": there, a command that fails would not end it.
    (set -e && fetch) >"$cache.log" 2>&1 || true
    is_ready || skip "packages are out of reach: $(tail -n 1 "$cache.log")"
    rm -f "$cache.log"
fi
libraries=$cache/host/usr/lib/x86_64-linux-gnu:$cache/host/lib/x86_64-linux-gnu
guest_libraries=$cache/guest/usr/lib/aarch64-linux-gnu

# ---- xbound for the guest ----

# Only the programs that were unpacked are to see the libraries beside them.
mkdir -p "$cache/bin"
for program in aarch64-linux-gnu-gcc cpio qemu-system-aarch64; do
    path=$cache/host/usr/bin/$program
    [ -e "$path" ] || path=$cache/host/bin/$program
    [ -e "$path" ] || path=$(command -v "$program") # it was installed, and so not unpacked
    # shellcheck disable=SC2016 # for the shell that runs it
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s PATH=%s:$PATH exec %s "$@"\n' "$libraries" \
        "$cache/host/usr/bin" "$path" >"$cache/bin/$program"
    chmod +x "$cache/bin/$program"
done
build() {
    PKG_CONFIG_LIBDIR=$guest_libraries/pkgconfig PKG_CONFIG_SYSROOT_DIR=$cache/guest \
        cmake -S . -B "$cache/xbound" -DCMAKE_BUILD_TYPE=Release -DXB_TESTS=OFF \
        -Dpfm_LIBRARY="$guest_libraries/libpfm.so" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
        -DCMAKE_C_COMPILER="$cache/bin/aarch64-linux-gnu-gcc" \
        -DCMAKE_EXE_LINKER_FLAGS="-L$guest_libraries -Wl,-rpath-link,$guest_libraries:$cache/guest/lib/aarch64-linux-gnu" &&
        cmake --build "$cache/xbound" --target xbound -j "$(nproc)"
}
if ! build >"$cache/build.log" 2>&1; then
    tail -n 20 "$cache/build.log" >&2
    echo "test-papi-emulated.sh: xbound does not build for aarch64" >&2
    exit 1
fi

# ---- the guest ----

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One worker and two, as threads and as processes, three times each, at two lengths; the second with
# events by name. A run measures what it costs itself, which is most of its time in an emulator.
cat >"$work/measure" <<'TEXT'
measure() { # TAG TIME OPTION...
    tag=$1 time=$2
    shift 2
    xbound run --counters papi --bind none --model threads,processes --workers 1,2 --samples 3 \
        --min-time $time --max-time 20ms "$@" -o /tmp/$time cpu/int_mul_chain >/tmp/log 2>&1
    echo "@run $?"
    sed "s/^/@$tag /" /tmp/$time/samples.csv
}
measure samples 2ms
measure samples 5ms --events "$named"
sed 's/^/@named /' /tmp/5ms/samples.csv
sed 's/^/@about /' /tmp/5ms/provenance.csv
[ -z "$crowd" ] || measure crowd 60ms --max-time 200ms --model threads --workers 1 --events "$crowd"
TEXT

boot() { # CPU PARANOID EVENTS MORE_EVENTS_THAN_COUNTERS TOPDOWN_CPUS
    local root=$work/$1-$2 program
    mkdir -p "$root"/{bin,proc,sys,dev,tmp,lib/aarch64-linux-gnu,usr/lib/aarch64-linux-gnu} \
        "$root/usr/share/papi"
    cp "$cache/guest/bin/busybox" "$cache/xbound/xbound" "$root/bin/"
    for program in sh mount cat sed echo grep poweroff; do ln -s busybox "$root/bin/$program"; done
    (cd "$cache/guest/lib/aarch64-linux-gnu" && cp -L ld-linux-aarch64.so.1 libc.so.6 libm.so.6 \
        libdl.so.2 libpthread.so.0 librt.so.1 libgcc_s.so.1 "$root/lib/aarch64-linux-gnu/")
    ln -s aarch64-linux-gnu/ld-linux-aarch64.so.1 "$root/lib/"
    (cd "$guest_libraries" && cp -L libpapi.so.7* libpfm.so.4 libjansson.so.4 \
        "$root/usr/lib/aarch64-linux-gnu/")
    cp -r "$cache/guest/usr/share/papi/." "$root/usr/share/papi/"
    cp "$work/measure" "$root/measure"
    cat >"$root/init" <<TEXT
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
echo $2 >/proc/sys/kernel/perf_event_paranoid
export named="$3" crowd="$4"
xbound doctor --counters | sed 's/^/@doctor /'
xbound doctor --counters --csv | sed 's/^/@csv /'
xbound classify --help | grep -A1 '^  pmu ' | sed 's/^/@probe /'
for pmu in $5; do
    LIBPFM_FORCE_PMU=\$pmu xbound doctor --counters --csv | grep top-down | sed "s/^/@\$pmu /"
    LIBPFM_FORCE_PMU=\$pmu xbound classify --help | grep -A1 '^  pmu ' | sed "s/^/@\$pmu /"
done
[ $2 -gt 2 ] || . /measure
echo "@end"
poweroff -f
TEXT
    chmod +x "$root/init"
    (cd "$root" && find . | "$cache/bin/cpio" -o -H newc --quiet | gzip -1) >"$root.initrd"
    timeout -k 5 100 "$cache/bin/qemu-system-aarch64" -L "$cache/host/usr/share/qemu" \
        -machine virt -cpu "$1" -smp 1 -m 512 -accel tcg,tb-size=64 -icount shift=0 -nographic \
        -nodefaults -no-reboot -serial stdio -monitor none -kernel "$cache/vmlinuz" \
        -initrd "$root.initrd" -append "console=ttyAMA0 quiet panic=-1" </dev/null 2>&1 |
        tr -d '\r' >"$cache/console-$1-$2" || true
}

# What a guest wrote is looked at from here on.
look() { # CPU PARANOID
    console=$cache/console-$1-$2
    if ! grep -q '^@end' "$console"; then
        tail -n 20 "$console" >&2
        echo "test-papi-emulated.sh: the guest ($1) did not come to its end" >&2
        exit 1
    fi
    if [ $show = yes ]; then
        printf '\n-- %s, perf_event_paranoid %s\n' "$1" "$2"
        told doctor
    fi
}

told() { sed -n "s/^@$1 //p" "$console"; }

says() { # finding pattern: of doctor --counters --csv
    told csv | grep -E "^$1,[a-z]*,\"?$2" >/dev/null # -q would end the pipe before its writer
}

# n iterations of a cell are a + b n instructions, with whole a and b, and b the same in all cells: the
# kernel's loop. A clock that is read while the kernel sets it is read again, which is some 20
# instructions of the harness; so of three samples the least counts, and no other is far from it.
cat >"$work/exact.awk" <<'TEXT'
$1 == "schema" { for (i = 1; i <= NF; i++) column[$i] = i; next }
{
    cell = $column["model"] " x" $column["workers"]
    n = $column["iters"]; count = $column["instructions"]
    if (count == "") { print "no instructions: " cell; bad = 1; next }
    if (!((cell, n) in least)) length_of[cell, ++lengths[cell]] = n
    if (!((cell, n) in least) || count < least[cell, n]) least[cell, n] = count
    if (count > most[cell, n]) most[cell, n] = count
}
END {
    for (cell in lengths) {
        for (i = 1; i <= lengths[cell]; i++) {
            n = length_of[cell, i]
            spread = most[cell, n] - least[cell, n]
            if (spread > 200) { print cell ": samples of " n " differ by " spread; bad = 1 }
            if (spread > widest) widest = spread
        }
        if (lengths[cell] != 2) { print cell ": " lengths[cell] " lengths instead of 2"; bad = 1; continue }
        a = length_of[cell, 1]; b = length_of[cell, 2]
        each[cell] = (least[cell, b] - least[cell, a]) / (b - a)
        if (each[cell] != int(each[cell])) { print cell ": " each[cell] " an iteration"; bad = 1 }
    }
    for (cell in each) {
        workers = cell; sub(/.* x/, "", workers)
        loop = each[cell] / workers
        if (!known) known = loop
        if (loop != known) { print cell ": " loop " a worker and iteration, others " known; bad = 1 }
        cells++
    }
    if (cells != 4) { print cells + 0 " cells instead of 4"; bad = 1 }
    if (!bad) print "exactly " known " instructions an iteration in " cells " cells, threads and" \
        " processes; samples differ by " widest + 0 " at most"
    exit bad
}
TEXT
exact() { told samples | awk -F, -f "$work/exact.awk"; }

# The events of one run whose column is neither empty nor everywhere the same is worth nothing here:
# the guest counts none of them.
empty() { # columns
    told named | awk -F, -v columns="$1" '
        $1 == "schema" { for (i = 1; i <= NF; i++) column[$i] = i; next }
        { n = split(columns, name, " "); rows++
          for (i = 1; i <= n; i++) if (!(name[i] in column) || $column[name[i]] != "") bad = 1 }
        END { exit bad || !rows }'
}

runs_ended_well() { told run | awk -v runs="$1" '$1 != 0 { bad = 1 } { n++ } END { exit bad || n != runs }'; }

common() {
    check "$1: instructions are counted exactly" says 'papi: instructions' 'ok: exact: 1000000 counted, 1000000 due'
    check "$1: cycles are fine" says 'papi: cycles' 'ok: '
    check "$1: runs end well" runs_ended_well "$2"
    check "$1: counts of a loop are exact" exact
}

# Presets other than these two can be opened, and QEMU counts nothing with them.
presets() {
    told csv | awk -F, '/^papi: PAPI_/ && $1 !~ /TOT_(INS|CYC)/ { n++; if (!/lies: /) { print; bad = 1 } }
        END { print n + 0 " presets lie"; exit bad || n < 15 }'
}

lies="PAPI_L1_DCM PAPI_BR_MSP PAPI_LD_INS PAPI_FP_INS"
# Native names, of which PAPI cannot say that they ought to move: ten events for six counters.
crowd="cycles,instructions,L1I_TLB_REFILL,L1D_CACHE_REFILL,L1D_CACHE_ACCESS,L1D_TLB_REFILL"
crowd+=",BRANCH_MISPRED,BRANCH_PRED,DATA_MEM_ACCESS,INST_RETIRED"
# Of which PAPI has the events of top-down level 1; it is told to take the CPU for one of them.
topdown="arm_n2 arm_v1 arm_v2"
# One CPU each, so that two at a time take no longer than one; the third is short.
boot cortex-a57 1 "cycles,instructions,l1d_misses,${lies// /,}" "$crowd" "" &
boot neoverse-n1 1 "instructions,perf::CYCLES" "" "$topdown" &
boot cortex-a57 3 "" "" "" &
wait

look cortex-a57 1
common cortex-a57 3
# They take turns of about 6/10, and what is counted in these is scaled: right within a turn or two.
takes_turns() {
    told crowd | awk -F, '
        $1 == "schema" { for (i = 1; i <= NF; i++) column[$i] = i; next }
        { rows++; share = $column["counter_coverage"]
          off = $column["instructions"] / (68 * $column["iters"]) - 1
          print "multiplexed: counted for " share " of the time, instructions off by " off
          if (share < 0.3 || share > 0.9 || off < -0.3 || off > 0.3) bad = 1 }
        END { exit bad || !rows }'
}
check "cortex-a57: what does not fit is multiplexed, with its coverage" takes_turns
check "cortex-a57: the audit finds every preset that stands still" presets
check "cortex-a57: columns of counters that lie are empty" empty "$lies l1d_misses"
check "cortex-a57: provenance says why" grep -q '^@about audit_l1d_misses,lies: reads 0 where' "$console"

look neoverse-n1 1
common neoverse-n1 2
native() {
    told named | awk -F, '
        $1 == "schema" { for (i = 1; i <= NF; i++) column[$i] = i; next }
        { rows++; if ($column["cycles"] != "" || $column["perf::CYCLES"] == "") bad = 1 }
        END { exit bad || !rows }'
}
check "neoverse-n1: a native name has a column of its own" native
no_presets() { ! told csv | grep '^papi: PAPI_'; }
check "neoverse-n1: there are no presets" no_presets
no_events() { told probe | grep "not here: events for top-down: none is known for this CPU" >/dev/null; }
check "neoverse-n1: classify's probe finds a PMU and no events" no_events
check "neoverse-n1: no top-down" says 'counters: top-down' '.*none is known for this CPU'
for pmu in $topdown; do
    names() { told "$pmu" | grep "has the events of $pmu for level 1 and 2" >/dev/null; }
    check "$pmu: PAPI has its events for top-down" names
    # Here they can be opened, and all but cycles stand still.
    lies() { told "$pmu" | grep "not here: the PMU lies or is shown in part" >/dev/null; }
    check "$pmu: classify's probe finds out that they stand still" lies
done

look cortex-a57 3
check "paranoid 3: PAPI's own reason" says 'counters: papi' '.*paranoid=3'
check "paranoid 3: what to do about it" says 'counters: perf_event_paranoid' \
    '3"?,"?sudo sysctl kernel.perf_event_paranoid=2'

echo "$passes passed, $failures failed"
echo "test-papi-emulated.sh: $((SECONDS - started)) s"
[ $failures -eq 0 ]
