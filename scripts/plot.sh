#!/usr/bin/env bash
# Draws every chart in plots/ from one run folder, as SVG and PNG.
set -euo pipefail

usage() {
    cat <<'EOF'
Usage: scripts/plot.sh [--optional] RUN [OUT]

Draws the charts in plots/ (each plots/*.gp but style.gp) from the CSV files in the folder RUN, as
OUT/<chart>.svg and OUT/<chart>.png. OUT is RUN/charts unless given. A chart is drawn from a folder
that has the file its line "# needs: FILE" names: summary.csv where there is no such line.

  --optional   if gnuplot is missing, say so and succeed: the result is the CSV
  --help       show this text

The staircase chart reads RUN/sweep where that run folder exists, else RUN itself.
Environment: GNUPLOT names the gnuplot program to use.

Exit codes: 0 all drawn; 1 a chart could not be drawn; 2 usage, unreadable RUN or no gnuplot.
EOF
}

say() { printf 'plot.sh: %s\n' "$*" >&2; }
refuse() {
    say "$@"
    exit 2
}

# The file that a chart cannot do without.
needs_of() {
    local file
    file=$(sed -n 's/^# needs: *//p' "$1")
    echo "${file:-summary.csv}"
}

# A run folder is one whose files exist, hold rows and have the layout the charts were written for.
check_run() {
    local run=$1 rows=$2 file
    for file in "$rows" provenance.csv; do
        [[ -f $run/$file ]] || refuse "$run: no $file here; want a run folder, results/runs/<id>"
        [[ -r $run/$file ]] || refuse "$run/$file: cannot be read"
    done
    awk -f "$here/csv.awk" -f "$work/check.awk" "$run/$rows" ||
        refuse "$run/$rows: $(awk -f "$here/csv.awk" -f "$work/check.awk" -v explain=1 \
            "$run/$rows")"
}

find_gnuplot() {
    local version
    if ! command -v "$gnuplot" >/dev/null; then
        say "$gnuplot: not found; for charts install gnuplot 5.4 or newer (apt install gnuplot-nox)"
        exit "$missing_rc"
    fi
    # A chart is drawn from another folder, where a relative path would lead nowhere.
    gnuplot=$(realpath -- "$(command -v "$gnuplot")")
    version=$("$gnuplot" --version | awk '{ print $2 }')
    if ! awk -v have="$version" 'BEGIN { exit !(have + 0 >= 5.4) }'; then
        say "$gnuplot is $version; for charts install 5.4 or newer (apt install gnuplot-nox)"
        exit "$missing_rc"
    fi
}

# Each chart works in a folder of its own with links of fixed names, so that no path of the user's,
# whatever characters it holds, is ever part of a gnuplot or shell command line.
draw() {
    local gp=$1 chart format rc_gnuplot
    chart=$(basename "$gp" .gp)
    mkdir "$work/$chart"
    ln -s "$run" "$work/$chart/run"
    ln -s "$here/csv.awk" "$work/$chart/csv.awk"
    for format in svg png; do
        # -d: the user's own gnuplotrc must not change the charts.
        rc_gnuplot=0
        (cd "$work/$chart" && "$gnuplot" -d -e "chart = '$chart'; format = '$format'" \
            "$plots/style.gp" "$gp") </dev/null 2>"$work/said" || rc_gnuplot=$?
        # A series without points is no news: what was not measured is told on the chart.
        grep -v -e 'Skipping data file with no valid points' -e '^$' "$work/said" >&2 || true
        if ((rc_gnuplot)) || [[ ! -s $work/$chart/$chart.$format ]]; then
            say "$gp: gnuplot could not draw it as $format (its words are above)"
            return 1
        fi
    done
    # SVG knows weights and fallbacks where gnuplot knows only one name for a font; and browsers
    # show titles as tooltips, where gnuplot puts the source of the plot.
    sed -i -e 's/font-family="DejaVu Sans:Bold"/font-family="DejaVu Sans" font-weight="bold"/g' \
        -e 's/font-family="DejaVu Sans"/font-family="DejaVu Sans, Verdana, sans-serif"/g' \
        -e "s/<title>Gnuplot</<title>$chart</" \
        -e 's/\(<g id="gnuplot_plot_[^>]*>\)<title>.*<\/title>/\1/' \
        "$work/$chart/$chart.svg"
    cp -f -- "$work/$chart/$chart.svg" "$work/$chart/$chart.png" "$out/"
    printf '%s\n' "$out/$chart.png"
}

missing_rc=2
while (($#)); do
    case $1 in
    --help)
        usage
        exit 0
        ;;
    --optional) missing_rc=0 ;;
    --)
        shift
        break
        ;;
    -*) refuse "unknown option $1; see --help" ;;
    *) break ;;
    esac
    shift
done
(($# == 1 || $# == 2)) || refuse "want RUN and perhaps OUT; see --help"
[[ -d $1 ]] || refuse "$1: no such folder; want a run folder, results/runs/<id>"

export LC_ALL=C.UTF-8 # decimal points and sorting as in C, whatever the user's language
gnuplot=${GNUPLOT:-gnuplot}
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
plots=$(cd -- "$here/../plots" && pwd -P)
run=$(cd -- "$1" && pwd -P)
out=${2:-$run/charts}

work=$(mktemp -d "${TMPDIR:-/tmp}/xbound-plot.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
cat >"$work/check.awk" <<'EOF'
field("schema") != 1 && !foreign++ { schema = field("schema") }
{ rows++ }
END {
    if (explain && !rows)
        print "no rows in it: nothing was measured"
    else if (explain)
        print "schema is \"" schema "\", but these charts know only 1; use the plot.sh of its time"
    else
        exit !rows || foreign
}
EOF

charts=()
for gp in "$plots"/*.gp; do
    [[ $gp = */style.gp || ! -e $run/$(needs_of "$gp") ]] || charts+=("$gp")
done
((${#charts[@]})) || check_run "$run" summary.csv
for file in $(for gp in "${charts[@]}"; do needs_of "$gp"; done | sort -u); do
    check_run "$run" "$file"
done
[[ ! -e $run/sweep ]] || check_run "$run/sweep" summary.csv
find_gnuplot
mkdir -p -- "$out" || refuse "$out: cannot be made"

rc=0
for gp in "${charts[@]}"; do
    draw "$gp" || rc=1
done
exit "$rc"
