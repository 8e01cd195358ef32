#!/usr/bin/env bash
# Runs a recipe on every host of a Cloud TPU slice, from making the slice to deleting it.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: launch/tpu_pod.sh [--dry-run] ACTION TPU ZONE [OPTION ...] [-- --config=configs/NAME.py[:SIZE] ...]

  keep TPU ZONE --type=TYPE [OPTION ...] -- --config=...
        all of it: makes the slice or takes the one that is there, installs, runs on all hosts and follows; after a
        preemption it deletes what is left, begins again as soon as there is room, and the run goes on from its last
        checkpoint. Ends with the run; left and given again, it follows the run that is under way.
  create TPU ZONE --type=TYPE [OPTION ...]   makes the slice, unless it is there and ready
  install TPU ZONE [OPTION ...]              sends the last commit to all hosts and installs it with the extra `tpu`
  run TPU ZONE -- --config=...               starts `python -m distinctad_jax.main --pod` on all hosts, and returns;
                                             never beside one that is under way
  logs TPU ZONE                              follows what host 0 says until the run ends
  code TPU ZONE                              prints the exit code of the run, `running`, `none`, or `lost` (its host started anew)
  delete TPU ZONE                            deletes the slice (and with it, what it costs)

  --type=TYPE        accelerator type, as v5litepod-64
  --version=VERSION  software of the hosts (default: v2-alpha-tpuv5-lite for v5litepod, v2-alpha-tpuv5 for v5p,
                     v2-alpha-tpuv6e for v6e, else tpu-ubuntu2204-base)
  --spot             a slice that costs less and may be taken away
  --setup=COMMAND    run on all hosts before installing, as mounting the folder that config.workdir is in
  --dry-run          print what would be run, as if there were no slice

config.workdir has to be a folder that all hosts see (Filestore, or a bucket by gcsfuse).
  CLOUDSDK_CORE_PROJECT   the project, if it is not gcloud's own
  REMOTE                  folder on the hosts, below the home folder (default: distinctad_jax)
  PYTHON                  Python 3.11 or 3.12 on the hosts (default: python3)
  POLL                    seconds between two looks at a run (default: 30)

  launch/tpu_pod.sh keep ad us-west4-a --type=v5litepod-64 --spot --setup='sudo mount -t nfs 10.0.0.2:/share /mnt' \
      -- --config=configs/stage2.py:base --config.workdir=/mnt/runs
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/lines.sh
source "$root/launch/lines.sh"

dry_run=''
case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  --dry-run) dry_run=1; shift ;;
esac
[[ $# -ge 3 ]] || { usage >&2; exit 2; }
action=$1 tpu=$2 zone=$3
shift 3
plain_name "$tpu" TPU
plain_name "$zone" ZONE

type='' version='' spot='' setup=''
while [[ $# -gt 0 ]]; do
  case "$1" in
    --) shift; break ;;
    --dry-run) dry_run=1 ;;
    --type=*) type=${1#*=} ;;
    --version=*) version=${1#*=} ;;
    --spot) spot=1 ;;
    --setup=*) setup=${1#*=} ;;
    *) fail "unknown option $1; see --help" ;;
  esac
  shift
done
remote=${REMOTE:-distinctad_jax} python=${PYTHON:-python3} poll=${POLL:-30}
[[ $remote =~ ^[A-Za-z0-9_-][A-Za-z0-9._-]*$ ]] || fail "REMOTE=$remote: needs a plain folder name"
[[ $poll =~ ^[0-9]+(\.[0-9]+)?$ ]] || fail "POLL=$poll: needs seconds"
need gcloud "the Google Cloud CLI"
case "$type" in
  v5litepod-*) version=${version:-v2-alpha-tpuv5-lite} ;;
  v5p-*) version=${version:-v2-alpha-tpuv5} ;;
  v6e-*) version=${version:-v2-alpha-tpuv6e} ;;
  *) version=${version:-tpu-ubuntu2204-base} ;;
esac

vm() { run gcloud compute tpus tpu-vm "$@"; }
on_all() { vm ssh "$tpu" "--zone=$zone" --worker=all "--command=$1"; }
on_first() { vm ssh "$tpu" "--zone=$zone" --worker=0 "--command=$1"; }

# READY, CREATING, PREEMPTED, TERMINATED ..., MISSING, or UNTOLD where gcloud could not ask: no reason to begin again.
state() {
  if [[ -n $dry_run ]]; then
    vm describe "$tpu" "--zone=$zone" '--format=value(state)' >&2
    echo MISSING
    return
  fi
  local words found
  words=$(mktemp)
  if found=$(gcloud compute tpus tpu-vm describe "$tpu" "--zone=$zone" '--format=value(state)' 2>"$words"); then
    echo "$found"
  elif [[ ! -s $words ]] || grep --quiet --ignore-case -E 'not[_ ]found|not exist' "$words"; then
    echo MISSING
  else
    cat "$words" >&2
    echo UNTOLD
  fi
  rm -f "$words"
}

there='' # whether `create` found the slice
create() {
  there=''
  [[ $type =~ ^v[0-9a-z]+-[0-9]+$ ]] || fail "--type=$type: needs an accelerator type, as v5litepod-64"
  local found
  found=$(state)
  case "$found" in
    READY) there=1; echo "$tpu: there already" >&2; return ;;
    MISSING | UNTOLD) ;; # what is there all the same cannot be made twice
    PREEMPTED | TERMINATED | STOPPED | FAILED) remove ;;
    *) (fail "$tpu is $found; wait until it is ready, or delete it" 4) || return ;;
  esac
  vm create "$tpu" "--zone=$zone" "--accelerator-type=$type" "--version=$version" ${spot:+--spot}
}

install() {
  [[ -z $setup ]] || on_all "$setup"
  local parcel
  parcel=$(mktemp -d)
  if [[ -n $(git -C "$root" status --porcelain) ]]; then
    echo "warning: changes that are not committed are not sent" >&2
  fi
  git -C "$root" archive --format=tar.gz "--prefix=$remote/" "--output=$parcel/$remote.tar.gz" HEAD
  local status=0
  vm scp "$parcel/$remote.tar.gz" "$tpu:$remote.tar.gz" "--zone=$zone" --worker=all || status=$?
  rm -rf "$parcel"
  ((status == 0)) || return "$status"
  on_all "set -e; tar -xzf $remote.tar.gz; cd $remote; $(printf '%q' "$python") -m venv .venv; .venv/bin/pip install --quiet -e '.[tpu]'"
}

# Starts the run on all hosts in the background, so that a lost connection does not end it; each notes its exit code.
# Whoever runs holds the lock on run.lock, which ends with it however it does.
start() {
  [[ $# -gt 0 ]] || fail "no command; write -- --config=configs/NAME.py"
  local command
  command=".venv/bin/python -m distinctad_jax.main --pod $(printf '%q ' "$@")"
  on_all "set -e; cd $remote; exec 9> run.lock; flock --wait 120 9 || { echo 'error: a run is under way here' >&2; exit 4; }; rm -f run.code; nohup setsid bash -c $(printf '%q' "$command; echo \$? > run.code") > run.log 2>&1 < /dev/null &"
}

logs() {
  on_first "cd $remote && touch run.log && (tail -n +1 -F run.log & reader=\$!; while ! flock --nonblock run.lock true; do sleep 2; done; sleep 1; kill \$reader)"
}

code() { on_first "cd $remote 2> /dev/null && [ -e run.lock ] || { echo none; exit; }; flock --nonblock run.lock true || { echo running; exit; }; cat run.code 2> /dev/null || echo lost"; }
busy() { [[ $(on_first "! [ -e $remote/run.lock ] || flock --nonblock $remote/run.lock true || echo busy") == busy ]]; }
remove() { vm delete "$tpu" "--zone=$zone" --quiet; }

keep() {
  [[ $# -gt 0 ]] || fail "no command; write -- --config=configs/NAME.py"
  local found
  create
  while true; do
    if [[ -n $there ]] && busy; then
      echo "$tpu: a run is under way there; following it" >&2
    else
      install
      start "$@"
    fi
    if [[ -n $dry_run ]]; then
      logs
      code
      return
    fi
    logs || true # a lost connection, or a lost slice: see below
    while true; do
      found=$(state)
      case "$found" in
        READY) ;;
        MISSING | PREEMPTED | TERMINATED | STOPPED | FAILED)
          echo "$tpu was taken away; beginning again" >&2
          break
          ;;
        *) # it may come back, or gcloud have an answer
          sleep "$poll"
          continue
          ;;
      esac
      found=$(code || echo unknown)
      case "$found" in
        0) return 0 ;;
        "$AGAIN") echo "$tpu: saved and stopped; going on" >&2; start "$@" ;;
        lost) echo "$tpu: its hosts started anew; going on" >&2; start "$@" ;;
        running | unknown) ;;
        *) fail "the run ended with code $found; see launch/tpu_pod.sh logs $tpu $zone" "$([[ $found =~ ^[0-9]{1,3}$ ]] && echo "$found" || echo 70)" ;;
      esac
      sleep "$poll"
    done
    until create; do # after a preemption there is often no room for a while
      echo "$tpu cannot be made now; trying again" >&2
      sleep "$poll"
    done
  done
}

case "$action" in
  create | install | logs | code) "$action" ;;
  delete) remove ;;
  run) start "$@" ;;
  keep) keep "$@" ;;
  *) fail "unknown action $action; see --help" ;;
esac
