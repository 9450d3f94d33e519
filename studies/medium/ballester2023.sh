#!/bin/sh
# Measure the networks of ballester2023's setting medium, eight or nine at a time through all
# stages, and keep what is measured of them under studies/medium/ballester2023/. Networks that are
# there already are passed over, and a part that was stopped goes on where it was:
#
#   sh studies/medium/ballester2023.sh SCRATCH_FOLDER [OPTION OF SNAKEMAKE ...]
#
#   sh studies/medium/ballester2023.sh /tmp/medium --cores 2 --config data_dir=/data
#
# Commit studies/medium afterwards. Then `snakemake ballester2023 --config setting=medium` has only
# the statistics left to do.

set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$1
shift

# part TASK NAME GRID [OPTION ...]: the part of a zoo's grid in which some values are fixed.
part() {
    task=$1 folder=$scratch/$2 grid=$3
    shift 3
    mkdir -p "$folder" "$root/studies/medium/ballester2023/$task"
    cat > "$folder/part.yaml" <<END
setting: medium
studies: {ballester2023: {tasks: {zoo_$task: {zoo: {grid: {$grid}}}}}}
END
    results=results/ballester2023
    kept="$results/$task/kept $results/${task}_500/kept $results/${task}_1000/kept"
    # shellcheck disable=SC2086
    python -m snakemake --snakefile "$root/Snakefile" --directory "$folder" "$@" \
        --configfile "$folder/part.yaml" -- $kept
    for each in $kept; do
        find "$folder/$each" -name '*.json.xz' \
            -exec cp {} "$root/studies/medium/ballester2023/$task/" \;
    done
    rm -rf "$folder"
}

for depth in 1 3; do
    for width in 16 32; do
        for batch in 64 256 16; do
            part vgg "vgg_${depth}_${width}_$batch" \
                "depth: [$depth], width: [$width], batch_size: [$batch]" "$@"
        done
    done
done
for decay in 0.0 0.03; do
    for batch in 108 36 12; do
        part nin "nin_${decay}_$batch" "weight_decay: [$decay], batch_size: [$batch]" "$@"
    done
done
