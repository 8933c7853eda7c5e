# shellcheck shell=bash disable=SC2154,SC2034,SC2004 # sourced by peers.sh, which says what its words mean
# wrk: requests per second from one nginx over 64 keep-alive connections, by one client core.
# xb-peer: wrk (Debian: wrk)
# xb-peer: nginx (Debian: nginx-light)
#
# The server has the last CPU that we may use and the client the first, so it takes two. It is started
# for each reading, as peers.sh takes readings in subshells, and killed by its process id. Should the
# subshell die first, by whatever signal, the kernel ends it: PR_SET_PDEATHSIG of prctl(2).
# Both clients send the same bytes: a request line and Host.

answers() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# with_nginx COMMAND...: runs it with $url set, while nginx serves a file of 1 KiB.
with_nginx() {
    local place=$work/nginx port server='' status=0
    mkdir -p "$place/www"
    head -c 1024 /dev/zero | tr '\0' x >"$place/www/kib"
    chmod 755 "$work" "$place" "$place/www" # nginx's worker may be another user
    for _ in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 10000))
        ! answers "$port" || continue # somebody else's
        sed "s|@PORT@|$port|; s|@WORK@|$place|" "$here/peers/nginx.conf" >"$place/nginx.conf"
        taskset -c "${allowed[-1]}" setpriv --pdeathsig TERM \
            nginx -p "$place" -c "$place/nginx.conf" 2>"$place/said" &
        server=$!
        # shellcheck disable=SC2064 # the id as of now
        trap "kill $server 2>/dev/null" EXIT
        url=http://127.0.0.1:$port/kib
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            sleep 0.1
            ! answers "$port" || break 2
            kill -0 "$server" 2>/dev/null || break # the port was taken, perhaps
        done
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
        server=
    done
    if [[ -z $server ]]; then
        tail -n 1 "$place/said" >&2
        return 1
    fi
    "$@" || status=$?
    kill "$server"
    wait "$server" 2>/dev/null || true
    trap - EXIT
    return "$status"
}

wrk_asks() { pinned wrk -t1 -c64 -d1s "$url" | awk '/^Requests\/sec:/ { print $2 }'; }
wrk_reads() { with_nginx wrk_asks; }

# http_get ENGINE
http_get_asks() {
    local out=$work/http
    rm -rf "$out"
    pinned "$xbound" run io/http_get --url "$url" --model loop --engine "$1" --workers 64 --bind none \
        --caches claimed --samples 5 --min-time 200ms -o "$out" >"$work/xbound.log" 2>&1 || {
        tail -n 1 "$work/xbound.log" >&2
        return 1
    }
    awk -f "$here/csv.awk" -f <(echo 'FNR > 1 { print field("items_per_s") }') "$out/summary.csv"
}
http_get_reads() { with_nginx http_get_asks "$1"; }

if [[ $quick = no ]]; then
    for engine in epoll uring; do
        figure "http_get_$engine" 1/s higher 1 - 1.0
        needs wrk wrk
        needs nginx nginx-light
        ((all_cpus > 1)) || skip[$now]="takes two CPUs, one for nginx"
        ours "io/http_get $engine" http_get_reads "$engine"
        peer "wrk -t1 -c64" wrk_reads
    done
fi
