#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs each fuzzer for SECONDS, two at a time, from the same seeds: models/, tests/hostile, tests/data, random graphs and what earlier
# runs left in CORPUS.  Fails where one finds something; the input is then in FOLDER/NAME.find-*.
# usage: run.sh FOLDER SECONDS [CORPUS]      FOLDER: of the fuzzers, build-checked/tests/fuzz
set -eu
[ $# -ge 2 ] || { sed -n '3,5s/^# //p' "$0"; exit 2; }
folder=$(cd "$1" && pwd)
seconds=$2
corpus=${3:-$folder/corpus}
source=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$corpus"/fuzz_model "$corpus"/fuzz_graph "$corpus"/fuzz_{tensor_files,tuning,image}
# Where no corpus is given it begins anew, so that each run of CI does the same.
[ $# -ge 3 ] || find "$corpus" -type f -delete
copy() { # copy NAME FILE...: under names that do not collide
    local name=$1 file
    shift
    for file; do
        [ "$(stat -c %s "$file")" -gt 65536 ] || cp "$file" "$corpus/$name/seed_$(echo "${file#"$source"/}" | tr / _)"
    done
}
mapfile -t models < <(find "$source/models" "$source/tests/hostile" "$source"/tests/data/{foreign,opsets,styles} -name '*.onnx')
mapfile -t tensors < <(find "$source/models" "$source/tests/hostile" -name '*.npy' -o -name '*.npz' -o -name '*.pb')
copy fuzz_model "${models[@]}"
"$folder/seeds" "$corpus/fuzz_model" 200
copy fuzz_tensor_files "${tensors[@]}"
# A picture's file lies in its message after a header, which is shorter where its size has one digit of 7 bits.
find "$source/tests/data/images" -name input_0.pb | while read -r message; do
    header=$(($(stat -c %s "$message") < 140 ? 12 : 14))
    tail -c +$((header + 1)) "$message" > "$corpus/fuzz_image/seed_$(echo "${message#"$source"/tests/data/images/}" | tr / _)"
done
printf 'avx2 conv_direct 1200 900 conv 1x3x8x8 3x3\navx512 gemm 10 20 gemm 4x4x4\n' > "$corpus/fuzz_tuning/seed_lines"
fuzz() {
    local name=$1 log="$folder/$1.log"
    # What a single allocation and the whole may take: nothing that these files ask for is large.
    if "$folder/$name" -seed=1 -max_total_time="$seconds" -max_len="$2" -rss_limit_mb=2048 -malloc_limit_mb=512 \
        -timeout=25 -print_final_stats=1 -artifact_prefix="$folder/$name.find-" "$corpus/$name" > "$log" 2>&1; then
        echo "$name: $(grep -o 'stat::number_of_executed_units: *[0-9]*' "$log" | grep -o '[0-9]*$') runs," \
            "$(grep -o 'cov: [0-9]*' "$log" | tail -1 | grep -o '[0-9]*$') edges"
    else
        echo "$name found something:"
        tail -60 "$log"
        return 1
    fi
}
export ASAN_OPTIONS=allocator_may_return_null=1:${ASAN_OPTIONS:-}
export OMP_NUM_THREADS=2
failed=0
fuzz fuzz_model 65536 & first=$!
fuzz fuzz_graph 2048 & second=$!
wait $first || failed=1
wait $second || failed=1
fuzz fuzz_tensor_files 65536 & first=$!
fuzz fuzz_tuning 4096 & second=$!
wait $first || failed=1
wait $second || failed=1
fuzz fuzz_image 4096 || failed=1
exit $failed
