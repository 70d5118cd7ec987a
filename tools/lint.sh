#!/usr/bin/env bash
# Style and static analysis: tools/lint.sh [format|tidy] [FILE...]
#
# format: every source is as clang-format writes it (tests/run.sh checks this too). tidy: clang-tidy's
# checks of .clang-tidy, on the files given or all; it needs a configured build folder. Both by default.
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-all}
shift || true
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(git ls-files '*.h' '*.cc')

if [ "$what" != tidy ]; then
  clang-format --dry-run -Werror "${files[@]}"
  echo "lint: ${#files[@]} files are as clang-format writes them"
fi
if [ "$what" != format ]; then
  # GCC's precompiled headers mean nothing to clang: a compile database without them.
  database=$(mktemp -d)
  trap 'rm -rf "$database"' EXIT
  sed -E 's/ -Winvalid-pch//g; s/ -include [^ ]*cmake_pch[^ ]*//g' build/compile_commands.json \
    > "$database/compile_commands.json"
  printf '%s\n' "${files[@]}" | grep '\.cc$' |
    xargs -P 2 -n 4 clang-tidy -p "$database" --quiet
  echo "lint: clang-tidy has nothing to say"
fi
