#!/bin/sh
# One process of a training on several machines by MXNet's own store (docs/cluster/README.md).
#
#   sh docs/cluster/rank.sh NUMBER COUNT FIRST WORDS...
#
# NUMBER: 0 to COUNT - 1, another one for each process. 0 is the scheduler, 1 the server that adds, the others are ranks.
# FIRST: the machine of number 0, by name or address. WORDS: what Python shall run, such as -m utils train ...
set -eu
number=$1 count=$2
[ "$count" -ge 3 ] || { echo "COUNT is $count: expected the scheduler, the server and a rank, 3 at least" >&2; exit 2; }
export DMLC_PS_ROOT_URI="$3" DMLC_PS_ROOT_PORT="${DMLC_PS_ROOT_PORT:-9091}"
export DMLC_NUM_WORKER=$((count - 2)) DMLC_NUM_SERVER=1
export DMLC_USE_KUBERNETES=1 # the scheduler listens on all addresses, so FIRST may be a name
shift 3
case $number in
    0) export DMLC_ROLE=scheduler ;;
    1) export DMLC_ROLE=server ;;
    *) export DMLC_ROLE=worker DMLC_TASK_ID=$((number - 2)) ;;
esac
exec "${PYTHON:-.venv/bin/python}" "$@"
