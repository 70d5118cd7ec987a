#!/bin/bash
# Starts missing_rank_program on four ranks and checks how it ends.
#
#   expect_missing_rank.sh PROGRAM HOW MPIRUN_FLAG...
#
# The deadline in the program is 3 s. `timeout` is what makes a hang a failure.
set -u
program=$1 how=$2
shift 2
output=$(timeout --kill-after=5 60 mpirun -n 4 "$@" "$program" 2 "${how%_recovery}" 2>&1)
code=$?

fail() {
  printf 'expect_missing_rank.sh: %s: %s; exit code %s; output:\n%s\n' "$how" "$1" "$code" "$output"
  exit 1
}
expect_code() { [ "$code" -eq "$1" ] || fail "exit code should be $1"; }
expect_text() { grep -q -- "$1" <<<"$output" || fail "no line with '$1'"; }

missing='rank 2 is missing: last heard at images_seen 320, phase all_reduce'
case $how in
  none)
    expect_code 0
    expect_text 'all 4 ranks are done'
    ;;
  stop | sleep)
    expect_code 5
    expect_text "$missing"
    for rank in 0 1 3; do expect_text "rank $rank: .* collectives: .* under way"; done
    ;;
  kill) # mpirun may be faster than the deadline; then its own line names the rank.
    [ "$code" -ne 0 ] || fail 'exit code should not be 0'
    grep -q -e "$missing" -e 'process rank 2 .*signal 9' <<<"$output" || fail 'rank 2 is not named'
    ;;
  kill_recovery) # mpirun's own exit code is 0 by definition.
    expect_text "$missing"
    ;;
  fail)
    expect_code 6
    expect_text 'rank 2: no space left'
    ;;
  *) fail 'unknown case' ;;
esac
if pgrep -f "^$program 2 ${how%_recovery}" >/dev/null; then fail 'a process is left'; fi
