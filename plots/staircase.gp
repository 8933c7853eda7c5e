# Shows the latency of one dependent load against the size it roams, and where the caches end.

# Every cell of cache/chase_l2 with one thread is a point. A sweep is a run of its own; here it is
# kept in the folder sweep/ of the run it belongs to.
folder = system("test -e run/sweep && echo run/sweep || echo run")
$program << AWK
field("kernel") != "cache/chase_l2" { next }
field("model") != "threads" || number("workers") != 1 { next }
{ size = positive("bytes_per_worker") }
size == "" { next }
!measured() || positive("ns_per_item") == "" {
    missing[++gaps] = size
    next
}
{
    n++
    bytes[n] = size " " n
    ns[n] = positive("ns_per_item")
    lo[n] = positive("ns_per_item_lo"); hi[n] = positive("ns_per_item_hi")
    status[n] = field("status")
    if (!(size in seen)) sizes++
    seen[size] = 1
    if (field("status") == "suspect") suspects++
    if (least_ns == "" || ns[n] < least_ns) least_ns = ns[n]
    if (ns[n] > most_ns) most_ns = ns[n]
}
END {
    sort_numbers(bytes, n)
    for (i = 1; i <= n; i++) {
        split(bytes[i], part, " ")
        j = part[2]
        printf "%s\t%.6g\t%s\t%s\t%s\n", part[1], ns[j], cell(lo[j]), cell(hi[j]), status[j] \
            > "points"
        if (i == 1) least = part[1]
        most = part[1]
    }
    print "NaN\tNaN\tNaN\tNaN\tx" > "points"
    print "NaN" > "gaps"
    for (i = 1; i <= gaps; i++) print missing[i] > "gaps"
    print "sizes = " sizes + 0
    print "least = " real(least)
    print "most = " real(most)
    print "least_ns = " real(least_ns)
    print "most_ns = " real(most_ns)
    print "gaps = " gaps + 0
    print "suspects = " suspects + 0
}
AWK
set print "staircase.awk"
print $program
set print
load tidy("staircase.awk", folder."/summary.csv")
load tidy("facts.awk", folder."/provenance.csv")

heading = "Latency staircase: time per dependent load against working set"
if (sizes < 2) {
    why = (sizes == 0 ? "no sweep in this run" : "only one size of cache/chase_l2 in this run"). \
        ": xbound run cache/chase_l2 --sweep bytes=4K:1G"
    eval empty_chart
    exit
}
remark = "cache/chase_l2, one thread: medians with 95 % intervals. Both axes are logarithmic.". \
    (gaps > 0 ? sprintf(" Grey ×: %d cell%s without a figure.", gaps, gaps == 1 ? "" : "s") : ""). \
    (suspects > 0 ? " Hollow: suspect." : "")

# The marks must lie within the chart; above it they have a line of text for each kind.
caches = "l1d l2 llc"
cache_name(key) = key eq "l1d" ? "L1d" : key eq "l2" ? "L2" : "LLC"
bytes_of(key) = fact(key) eq "" ? 0 : real(fact(key)) # 0: not known
kinds = "claimed measured"
do for [kind in kinds] {
    do for [cache in caches] {
        edge = bytes_of(cache."_".kind."_bytes")
        if (edge > most) {
            most = edge
        }
        if (edge > 0 && edge < least) {
            least = edge
        }
    }
}
# What one core loads from each level, where the run measured it, stands in a line of its own.
gb_per_s(level) = fact(level."_load_gb_per_s") eq "" ? 0 : real(fact(level."_load_gb_per_s"))
levels = "l1d l2 llc dram"
loads = 0
do for [level in levels] {
    loads = loads + (gb_per_s(level) > 0)
}
height = loads ? 724 : 700
eval open_chart
plot_left = 110
plot_right = 1170
plot_top = loads ? 174 : 150
plot_bottom = plot_top + 450
below = "working set of the worker (log scale)"
beside = "time per load (ns, log scale)"
eval place_plot
low_edge = least / 1.4
high_edge = most * 1.6
set logscale x 2
set xrange [low_edge : high_edge]
set logscale y 10
set yrange [least_ns / 1.6 : most_ns * 1.6]
binary(bytes) = bytes >= 1024. ** 3 ? sprintf("%.3g GiB", bytes / 1024 ** 3) : \
    bytes >= 1024. ** 2 ? sprintf("%.3g MiB", bytes / 1024 ** 2) : \
    bytes >= 1024 ? sprintf("%.3g KiB", bytes / 1024.) : sprintf("%.3g B", bytes)
doublings = log(high_edge / low_edge) / log(2)
step = doublings > 24 ? 4 : doublings > 12 ? 2 : 1
set xtics nomirror scale 0.5 (1) textcolor rgb ink
do for [k = 0:50:step] {
    set xtics add (binary(2. ** k) 2. ** k)
}
set ytics nomirror scale 0.5 (1) textcolor rgb ink
do for [k = -3:7] {
    set ytics add (sprintf("%g", 10. ** k) 10. ** k, sprintf("%g", 2 * 10. ** k) 2 * 10. ** k, \
        sprintf("%g", 5 * 10. ** k) 5 * 10. ** k)
}
set grid xtics ytics back ls 100
set border 3
tag = 10
line_of(kind) = kind eq "claimed" ? 96 : 122
colour_of(kind) = kind eq "claimed" ? 0xB86E00 : 0x882255
do for [kind in kinds] {
    tag = tag + 1
    known = 0
    do for [cache in caches] {
        edge = bytes_of(cache."_".kind."_bytes")
        if (edge > 0) {
            known = 1
            tag = tag + 1
            # Dashed over solid: where the two agree, both are seen.
            if (kind eq "claimed") {
                set arrow tag from edge, graph 0 to edge, graph 1 nohead lw 3 \
                    lc rgb colour_of(kind) back
            } else {
                set arrow tag from edge, graph 0 to edge, graph 1 nohead lw 2 dt (8, 5) \
                    lc rgb colour_of(kind) front
            }
            set label tag cache_name(cache)." ".binary(edge) \
                at first edge, screen down(line_of(kind)) center font face(11) \
                textcolor rgb colour_of(kind)
        }
    }
    set label 100 + tag kind.(known ? "" : ": not known") \
        at screen across(24), down(line_of(kind)) font bold_face(11) textcolor rgb colour_of(kind)
}
# Each stands over its level: from where the one before it ends to where its own does.
end_of(cache) = bytes_of(cache."_measured_bytes") > 0 ? bytes_of(cache."_measured_bytes") : \
    bytes_of(cache."_claimed_bytes")
begin = low_edge
do for [level in levels] {
    end = level eq "dram" ? high_edge : end_of(level)
    if (gb_per_s(level) > 0 && end > begin) {
        tag = tag + 1
        words = (level eq "dram" ? "DRAM" : cache_name(level))." ".figure(gb_per_s(level))." GB/s"
        set label tag words at first sqrt(begin * end), screen down(148) center font face(11) \
            textcolor rgb ink
    }
    if (end > begin) {
        begin = end
    }
}
if (loads) {
    set label 103 "one core loads" at screen across(24), down(148) font bold_face(11) \
        textcolor rgb ink
}
plot "points" using 1:2 with lines lw 2 lc rgb model_colour("threads"), \
    "points" using 1:3:(0):($4 - $3) with vectors nohead lw 2.5 lc rgb model_colour("threads"), \
    "points" using 1:2:(filled_if(7, strcol(5))) with points pt variable ps mark(1.2) lw 1.5 \
        lc rgb model_colour("threads"), \
    "gaps" using 1:(least_ns / 1.4) with points pt 2 ps mark(1.2) lw 2 lc rgb grey
