#!/usr/bin/env bash
# Runs a recipe on this machine, as one process or as several, with the checkout's virtual environment if there is one.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: launch/local.sh [--dry-run] [--processes=N] [--restarts=N] --config=configs/NAME.py[:SIZE] [--config.KEY=VALUE ...]

Runs `python -m distinctad_jax.main` with these arguments from the root of the checkout, on all devices of this machine:
a laptop's CPU, or one GPU or several. Paths of configs are taken from there. Exit codes: see docs/running.md.

  --processes=N   N processes that work as one; each sees one Nth of the GPUs, or DEVICES fake CPU devices
  --restarts=N    start again up to N times when the work was saved and stopped (exit code 75; default 0)
  --dry-run       print what would be run

  DEVICES         CPU devices of each process (default: what JAX finds)
  PORT            where the processes meet on this machine (default: 12355)

  launch/local.sh --config=configs/demo.py:tiny
  launch/local.sh --processes=2 --config=configs/stage2.py --config.stage2.clips=4
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/lines.sh
source "$root/launch/lines.sh"

dry_run='' processes=1 restarts=0
while [[ $# -gt 0 ]]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --dry-run) dry_run=1 ;;
    --processes=*) processes=${1#*=} ;;
    --restarts=*) restarts=${1#*=} ;;
    *) break ;;
  esac
  shift
done
[[ $# -gt 0 ]] || { usage >&2; exit 2; }
[[ $processes =~ ^[1-9][0-9]?$ ]] || fail "--processes=$processes: needs a number from 1 to 99"
[[ $restarts =~ ^[0-9]{1,4}$ ]] || fail "--restarts=$restarts: needs a number from 0 to 9999"
port=${PORT:-12355}
if ! [[ $port =~ ^[1-9][0-9]{0,4}$ ]] || ((port > 65535)); then fail "PORT=$port: needs a number from 1 to 65535"; fi
[[ ${DEVICES:-1} =~ ^[1-9][0-9]{0,2}$ ]] || fail "DEVICES=$DEVICES: needs a number from 1 to 999"

cd "$root"
python=python3
if [[ -x .venv/bin/python ]]; then
  python=.venv/bin/python
fi

gpus=0
if ((processes > 1)) && [[ -z ${DEVICES:-} ]] && command -v nvidia-smi >/dev/null; then
  gpus=$(nvidia-smi --list-gpus | wc -l)
  ((gpus % processes == 0)) || fail "--processes=$processes: $gpus GPUs cannot be shared evenly"
fi

# The environment of process $1, as words for env(1).
surroundings() {
  local words=()
  if [[ -n ${DEVICES:-} ]]; then
    words+=(JAX_PLATFORMS=cpu "XLA_FLAGS=${XLA_FLAGS:-} --xla_force_host_platform_device_count=$DEVICES")
  elif ((gpus > 0)); then
    local each=$((gpus / processes)) first
    first=$(($1 * each))
    words+=("CUDA_VISIBLE_DEVICES=$(seq -s, "$first" $((first + each - 1)))")
  fi
  ((${#words[@]} == 0)) || printf '%s\0' "${words[@]}"
}

children=()
pass_on() { for child in "${children[@]}"; do kill -s "$1" "$child" 2>/dev/null || true; done; }

once() {
  local index words status worst=0
  children=()
  for ((index = 0; index < processes; index++)); do
    mapfile -d '' -t words < <(surroundings "$index")
    words=(env "${words[@]}" "$python" -m distinctad_jax.main)
    if ((processes > 1)); then
      words+=("--coordinator=127.0.0.1:$port" "--processes=$processes" "--process=$index")
    fi
    if [[ -n $dry_run ]]; then
      run "${words[@]}" "$@"
    elif ((processes == 1 && restarts == 0)); then
      exec "${words[@]}" "$@" # so that signals and exit code are the command's own
    else
      "${words[@]}" "$@" &
      children+=($!)
    fi
  done
  for child in "${children[@]}"; do
    status=0
    wait "$child" || status=$?
    while kill -0 "$child" 2>/dev/null; do # a signal ends `wait`, and not the child
      status=0
      wait "$child" || status=$?
    done
    # A real error tells more than that the others stopped because of it.
    if ((status != 0 && (worst == 0 || worst == AGAIN))); then worst=$status; fi
  done
  return "$worst"
}

stopped=''
trap 'stopped=1; pass_on TERM' TERM
trap 'stopped=1; pass_on INT' INT
for ((turn = 0; ; turn++)); do
  status=0
  once "$@" || status=$?
  if ((status != AGAIN || turn >= restarts)) || [[ -n $stopped ]]; then
    exit "$status"
  fi
  echo "stopped and saved; starting again ($((turn + 1)) of $restarts)" >&2
done
