# shellcheck shell=bash disable=SC2154 # sourced by classify-programs.sh, which says what its words mean
# What the set-ups in programs.csv are made of. Each runs in the program's own empty folder, which is on
# a disk; $port is free on loopback; $programs is this folder; $python3 is one that has numpy, if any.
# Inputs follow from their size alone, so every run meets the same bytes.

# noise MIB FILE: bytes that no compressor shortens, the keystream of AES under the key 0.
noise() {
    head -c $(($1 << 20)) /dev/zero |
        openssl enc -aes-128-ctr -K 00000000000000000000000000000000 \
            -iv 00000000000000000000000000000000 >"$2"
}

# text MIB FILE: lines of words, chosen at random with few that are frequent, as in prose: gzip makes
# about a third of it. Made once for all programs, which only read it.
text() {
    local mib=$1 made=$work/text-$1 letters=abcdefghijklmnopqrstuvwxyz i
    if [[ ! -e $made ]]; then
        mawk -v bytes=$(((mib < 32 ? mib : 32) << 20)) 'BEGIN {
            srand(7)
            for (i = 0; i < 20000; i++) {
                word = ""
                for (k = 2 + int(rand() * 9); k > 0; k--)
                    word = word substr("etaoinshrdlucmfwypvbgkjqxz", 1 + int(26 * rand() * rand()), 1)
                words[i] = word
            }
            while (done < bytes) {
                line = ""
                while (length(line) < 70)
                    line = line words[int(20000 * rand() * rand() * rand())] " "
                print line
                done += length(line) + 1
            }
        }' >"$made.part"
        # Repeated with its letters exchanged, so that no window finds the one before.
        for ((i = 0; i < (mib + 31) / 32; i++)); do
            tr "$letters" "${letters:i}$letters" <"$made.part"
        done >"$made"
        rm "$made.part"
    fi
    ln "$made" "$2"
}

# sources N: unit1.c ... unitN.c, each of some seconds of compiling, and a Makefile for them.
sources() {
    local unit
    for ((unit = 1; unit <= $1; unit++)); do
        mawk -v unit="$unit" 'BEGIN {
            srand(unit)
            for (f = 0; f < 1500; f++) {
                printf "int f%d(int *a, int n)\n{\n    int s = %d;\n", f, rand() * 1000
                printf "    for (int i = 0; i < n; i++) {\n"
                for (k = 0; k < 8; k++)
                    printf "        if (a[(i * %d) & 255] %s s) s += a[i & %d] * %d; else s ^= i << %d;\n",
                        1 + rand() * 99, rand() < 0.5 ? "<" : ">", 2 ^ int(1 + rand() * 7) - 1,
                        1 + rand() * 99, rand() * 8
                printf "    }\n    return s%s;\n}\n", f ? " + f" int(rand() * f) "(a, n / 2)" : ""
            }
        }' >"unit$unit.c"
    done
    {
        echo "all: $(seq -f 'unit%g.o' -s ' ' "$1")"
        printf '%%.o: %%.c\n\tgcc -O2 -c -o $@ $<\n'
    } >Makefile
}

# formula VARIABLES CLAUSES: a random formula of three literals to a clause, in the file `formula`.
formula() {
    mawk -v variables="$1" -v clauses="$2" 'BEGIN {
        srand(3)
        print "p cnf", variables, clauses
        for (i = 0; i < clauses; i++) {
            for (k = 0; k < 3; k++)
                printf "%s%d ", rand() < 0.5 ? "-" : "", 1 + rand() * variables
            print 0
        }
    }' >formula
}

# many_files N: that many small files in the tree `many`.
many_files() {
    local i
    for ((i = 0; i < $1 / 1000; i++)); do
        mkdir -p "many/$i"
        (cd "many/$i" && seq 1000 | split -l 1 -a 3)
    done
}

# build SOURCE [LIBRARY...]: that program of this folder. -O2, at which gcc keeps loops as written.
build() {
    "${CC:-cc}" -std=gnu11 -O2 -fno-tree-vectorize -pthread -o "$1" "$programs/$1.c" "${@:2}"
}

answers() { (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

# await_port: until something answers there, or 5 s.
await_port() {
    local i
    for ((i = 0; i < 100; i++)); do
        answers && return
        sleep 0.05
    done
    echo "nothing answers on port $port" >&2
    return 1
}

# until_served COMMAND...: a client that waits for the program's server.
until_served() { await_port && "$@"; }

# Files and configuration of nginx for $port: one file of 1 KiB, served by one worker.
nginx_config() {
    mkdir -p www
    head -c 1024 /dev/zero | tr '\0' x >www/kib
    # Started by root its worker would be another user, who may not enter the folders above.
    {
        echo "user $(id -un) $(id -gn);"
        sed "s|@PORT@|$port|; s|@WORK@|$PWD|" "$here/peers/nginx.conf"
    } >nginx.conf
}

# Debian's redis-server would be started as a service when it is installed. It is the same program as
# redis-check-rdb of redis-tools, which looks at the name that it is called by.
redis_link() { ln -s "$(command -v redis-check-rdb)" redis-server; }

# mariadb_data: MariaDB's files in the folder db, with one table x.t of one row.
mariadb_data() {
    mariadb-install-db --no-defaults --auth-root-authentication-method=normal --skip-test-db \
        --datadir="$PWD/db" --user="$(id -un)" &&
        printf 'CREATE DATABASE x;\nCREATE TABLE x.t (id INT AUTO_INCREMENT PRIMARY KEY, y INT) ENGINE=InnoDB;\nINSERT INTO x.t (y) VALUES (1);\n' |
        mariadbd --no-defaults --bootstrap --datadir="$PWD/db" --user="$(id -un)"
}
mariadb_server() {
    exec mariadbd --no-defaults --datadir="$PWD/db" --user="$(id -un)" --socket=s \
        --bind-address=127.0.0.1 --port="$port"
}
mariadb_client() { mariadb --no-defaults -u root -h 127.0.0.1 -P "$port" x "$@"; }
