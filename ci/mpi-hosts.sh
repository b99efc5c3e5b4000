#!/usr/bin/env bash
# An MPI program on several hosts that are namespaces of this one: each has its own network, name, System V IPC and /dev/shm, and a
# cable (veth) to a switch, where mpirun is. No ssh, no root where user namespaces are allowed. All goes with this process.
#
#   ci/mpi-hosts.sh [-H HOSTS] [-n RANKS_EACH] [-b FILE] [-t SECONDS] -- PROGRAM [ARGUMENT ...]
#
# -b FILE: a line for each host: its name, bytes received, bytes sent, by its network card, for the whole job.
# Ends as mpirun does; 77 where namespaces are forbidden, 124 after SECONDS (default 120).
set -euo pipefail
self=$(realpath "$0")

# The agent that mpirun starts in place of ssh: `AGENT HOST WORDS...`, WORDS being for a shell.
if [ -n "${NDSHM_MPI_HOLDERS:-}" ]; then
    holder=$(cat "$NDSHM_MPI_HOLDERS/$1")
    shift
    exec nsenter --target "$holder" --net --uts --ipc --mount --wd="$PWD" sh -c "$*"
fi

hosts=2 ranks=2 bytes='' limit=120
while getopts H:n:b:t: option; do
    case $option in
    H) hosts=$OPTARG ;;
    n) ranks=$OPTARG ;;
    b) bytes=$OPTARG ;;
    t) limit=$OPTARG ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$self" >&2; exit 2 ;;
    esac
done

if [ -z "${NDSHM_MPI_SWITCH:-}" ]; then
    own=(--net --mount --uts --ipc)
    # Root without a user namespace, where that is allowed: some kernels and containers allow only one of the two.
    { [ "$(id -u)" = 0 ] && unshare "${own[@]}" true 2>/dev/null; } || own+=(--user --map-root-user)
    command -v ip >/dev/null && unshare "${own[@]}" ip link add switch type bridge 2>/dev/null || {
        echo "SKIPPED: no hosts: no network namespaces, or no iproute2" >&2
        exit 77
    }
    NDSHM_MPI_SWITCH=1 exec unshare "${own[@]}" "$self" "$@"
fi
shift $((OPTIND - 1))
unset NDSHM_MPI_SWITCH

holders=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; rm -rf "$holders"' EXIT
trap 'exit 143' TERM INT

host() { echo "ndshm-$1"; }
{
    echo "127.0.0.1 localhost"
    echo "10.77.0.254 ndshm-switch"
    for ((i = 0; i < hosts; i++)); do echo "10.77.0.$((i + 1)) $(host $i)"; done
} >"$holders/hosts"
mount --bind "$holders/hosts" /etc/hosts
hostname ndshm-switch
ip link add switch type bridge
ip address add 10.77.0.254/24 dev switch
ip link set lo up
ip link set switch up

chosen=''
for ((i = 0; i < hosts; i++)); do
    name=$(host $i)
    # The holder keeps the namespaces of a host: it says when they are there, and then sleeps.
    mkfifo "$holders/ready"
    unshare --net --uts --ipc --mount sh -c "hostname $name && mount -t tmpfs tmpfs /dev/shm && echo >'$holders/ready' && exec sleep infinity" &
    pids+=($!)
    # Both ends, so that nobody waits for a holder that ended before it was ready.
    read -r -t 10 <>"$holders/ready" || { echo "a host did not come up" >&2; exit 1; }
    rm "$holders/ready"
    echo $! >"$holders/$name"
    ip link add "port$i" type veth peer name eth0 netns $!
    ip link set "port$i" master switch up
    nsenter --target $! --net sh -c "ip link set lo up; ip link set eth0 up; ip address add 10.77.0.$((i + 1))/24 dev eth0"
    chosen+=${chosen:+,}$name:$ranks
done

card() { awk '$1 == "eth0:" { print $2, $10 }' "/proc/$(cat "$holders/$1")/net/dev"; }
before=()
for ((i = 0; i < hosts; i++)); do before+=("$(card "$(host $i)")"); done

status=0
NDSHM_MPI_HOLDERS=$holders OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    timeout --kill-after=10 "$limit" mpirun.openmpi --host "$chosen" -np $((hosts * ranks)) --bind-to none --oversubscribe \
    --mca plm_rsh_agent "$self" --mca pml ob1 --mca btl self,vader,tcp \
    --mca orte_tmpdir_base "$holders" --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include switch,eth0 "$@" || status=$?

if [ -n "$bytes" ]; then
    for ((i = 0; i < hosts; i++)); do
        name=$(host $i)
        read -r received sent <<<"$(card "$name")"
        read -r had_received had_sent <<<"${before[i]}"
        echo "$name $((received - had_received)) $((sent - had_sent))"
    done >"$bytes"
fi
exit "$status"
