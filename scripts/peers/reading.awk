# One reading of ours: what a run of one cell says about `metric`, from samples.csv and summary.csv.
#
# Without a figure it says why on standard error and fails.

FILENAME ~ /summary\.csv$/ {
    reason = field("status") ": " field("reason")
    p99 = number("lat_p99_ns")
    next
}
measured() {
    n++
    wall += number("wall_ns")
    items += number("items")
    cpu_of_all += number("cpu_ns")
    bytes += number("bytes_read") + number("bytes_written")
    flops += number("flops")
    cpu[n] = number("items") > 0 ? number("cpu_ns") / number("items") : ""
}

END {
    if (metric == "gb_per_s") value = wall > 0 ? bytes / wall : 0
    else if (metric == "gflop_per_s") value = wall > 0 ? flops / wall : 0
    else if (metric == "ns_per_item") value = items > 0 ? wall / items : 0
    else if (metric == "items_per_s") value = wall > 0 ? items / wall * 1e9 : 0
    else if (metric == "lat_p99_ns") value = p99
    else if (metric == "cpu_ns_per_item_overall") value = items > 0 ? cpu_of_all / items : 0
    else if (metric == "cpu_ns_per_item") value = n > 0 ? median(cpu, n) : 0
    if (value > 0) {
        printf "%.9g\n", value
        exit 0
    }
    print reason == "" ? "no sample" : reason > "/dev/stderr"
    exit 1
}
