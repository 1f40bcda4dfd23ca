#!/bin/sh
# Trains on several machines by Horovod, over SSH (docs/cluster/README.md). From the course's folder:
#
#   HOSTS=first:1,second:1 sh docs/cluster/ssh.sh --dataset voc_mini --output mini.params --checkpoint build/mini
#
# HOSTS: machines, and the ranks on each, the first of which is this one. INTERFACE: the network card, where there are several.
set -eu
: "${HOSTS:?expected HOSTS=first:1,second:1, machines and the ranks on each}"
ranks=$(echo "$HOSTS" | tr , '\n' | awk -F: '{ n += $2 == "" ? 1 : $2 } END { print n }')
exec .venv/bin/horovodrun --gloo -np "$ranks" -H "$HOSTS" ${INTERFACE:+--network-interfaces "$INTERFACE"} \
    .venv/bin/python -m utils train "$@"
