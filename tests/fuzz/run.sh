#!/usr/bin/env bash
# run.sh OUT OPTION... TARGET: fuzzes one target; one line says what came of it. What it finds is in
# OUT/findings, new inputs that reach more of the code are in OUT/corpus.
set -uo pipefail
out=$1
target=${!#}
options=("${@:2:$#-2}")
here=$(dirname "$0")
mkdir -p "$out/findings" "$out/corpus/$target"
log=$out/findings/$target.log

# Files are quickest in memory. What ends a process by a finding leaves them there.
memory=/dev/shm
[ -d $memory ] || memory=${TMPDIR:-/tmp}
TMPDIR=$(mktemp -d "$memory/cria_fuzz_XXXXXX")
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# No input may take more than 256 MB at once; sanitizers make a second of work several.
FUZZ_TARGET=$target ASAN_OPTIONS=quarantine_size_mb=16 nice "$out/cria_fuzz" "${options[@]}" \
  -timeout=5 -malloc_limit_mb=256 -rss_limit_mb=1024 -dict="$here/words.dict" \
  -artifact_prefix="$out/findings/$target-" -print_final_stats=1 \
  "$out/corpus/$target" "$here/corpus/$target" >"$log" 2>&1
status=$?

executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
printf '%-20s %12s executions' "$target" "${executions:-?}"
if [ $status -eq 0 ]; then
  echo ', 0 findings'
else
  echo ", 1 finding: $(sed -n 's/.*Test unit written to //p' "$log"), $log"
  exit 1
fi
