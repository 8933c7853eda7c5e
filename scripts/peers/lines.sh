# shellcheck shell=bash disable=SC2154 # sourced by peers.sh, which says what its words mean
# xb-peer: wc (Debian: coreutils)
# xb-peer: rg (Debian: ripgrep)
# wc -l and ripgrep: the lines of a text in the page cache, on one core.
#
# Theirs is the time of the whole program; starting one takes about a millisecond.

lines_mib=1024
[[ $quick = no ]] || lines_mib=256

# The text, written once: lines of 0 to 119 letters, 16 MiB of them over and over.
lines_file() {
    local file=$work/lines.txt i
    if [[ ! -s $file ]]; then
        awk 'BEGIN {
            srand(1)
            for (i = 0; i < 120; i++) letters = letters sprintf("%c", 97 + int(rand() * 16))
            while (n < 2 ^ 24) {
                line = substr(letters, 1, int(rand() * 120))
                n += length(line) + 1
                print line
            }
        }' | head -c $((1 << 24)) >"$work/lines.part"
        for ((i = 0; i < lines_mib / 16; i++)); do cat "$work/lines.part"; done >"$file" || return 1
    fi
    cat "$file" >/dev/null # into the page cache, should it have left it
    echo "$file"
}

# lines_of COMMAND...: GB/s of the command, which finds the file's name as its last argument.
lines_of() {
    local file begin end
    file=$(lines_file) || return 1
    begin=$(date +%s%N)
    pinned "$@" "$file" >/dev/null || return 1
    end=$(date +%s%N)
    awk -v bytes=$((lines_mib << 20)) -v ns=$((end - begin)) 'BEGIN { print bytes / ns }'
}

our_lines() {
    local file
    file=$(lines_file) && xbound_reads gb_per_s io/line_count --file "$file" "$@"
}

figure lines_cached GB/s higher 1 $((lines_mib << 20)) 1.0
ours "io/line_count blocking" our_lines --engine blocking
needs wc coreutils
needs rg ripgrep
peer "wc -l" lines_of wc -l
peer "rg -c ''" lines_of rg -c ''
peer "rg --no-mmap -c ''" lines_of rg --no-mmap -c ''
