# Runs `make installcheck` for one kind of test and counts the files (source it).
# TESTS (regress) or SPECS (isolation) in the environment chooses some of them by name.
set -euo pipefail

# run_pg_regress VARIABLE "OTHER= KINDS=" OUTPUT-FOLDER EXPECTED-FOLDER
run_pg_regress() {
    local tests expected passed failed test out=$CLUSTER_DIR/$1.out
    case $1 in REGRESS) tests=${TESTS:-} ;; *) tests=${SPECS:-} ;; esac
    [ -n "$tests" ] || tests=$(make -s "print-$1")
    expected=$(wc -w <<<"$tests")
    if [ "$expected" = 0 ]; then echo "0 passed, 0 failed"; exit 0; fi
    # pg_regress gives up at a missing expected file; an empty one shows the difference and goes on
    for test in $tests; do
        mkdir -p "$(dirname "$4/$test.out")"
        [ -e "$4/$test.out" ] || touch "$4/$test.out"
    done
    # shellcheck disable=SC2086
    make -s installcheck $2 "$1=$tests" 2>&1 | tee "$out" || true
    # the first form is that of servers before 16, the second is TAP
    passed=$(grep -cE '^(test )? *[^ ]+ +\.\.\. ok|^ok ' "$out" || true)
    failed=$((expected - passed))
    if [ "$failed" != 0 ] && [ -e "$3/regression.diffs" ]; then head -3000 "$3/regression.diffs"; fi
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}
