#!/usr/bin/env bash
# Runs a recipe on every host of a Cloud TPU slice: sends the last commit, installs it, starts one command everywhere.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: launch/tpu_vm.sh TPU ZONE --config=configs/NAME.py[:SIZE] [--config.KEY=VALUE ...] [--debug]

Sends the last commit of this checkout to every host of the TPU VM slice `TPU` in `ZONE` through gcloud, installs it
there with the extra `tpu`, and runs `python -m distinctad_jax.main --pod` with these arguments on all hosts at once.
`--pod` joins the hosts; config.workdir has to be a folder that all of them see, with what stands before the training
finished in it (see "Several hosts" in docs/running.md).

  CLOUDSDK_CORE_PROJECT   the project, if it is not gcloud's own
  REMOTE                  folder on the hosts, below the home folder (default: distinctad_jax)
  PYTHON                  Python 3.11 or 3.12 on the hosts (default: python3)

  launch/tpu_vm.sh my-slice us-central2-b --config=configs/stage2.py:base --config.workdir=/mnt/shared/runs
TEXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
esac
if [[ $# -lt 3 || $1 == -* || $2 == -* ]]; then
  usage >&2
  exit 2
fi
tpu=$1
zone=$2
shift 2
remote=${REMOTE:-distinctad_jax}
python=${PYTHON:-python3}
if [[ ! $remote =~ ^[A-Za-z0-9._-]+$ || $remote == . || $remote == .. ]]; then
  echo "error: REMOTE=$remote: needs a plain folder name; choose letters, digits, dots and dashes" >&2
  exit 2
fi
command -v gcloud >/dev/null || { echo "error: no gcloud; install the Google Cloud CLI" >&2; exit 4; }

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ -n $(git status --porcelain) ]]; then
  echo "warning: changes that are not committed are not sent" >&2
fi
parcel=$(mktemp -d)
trap 'rm -rf "$parcel"' EXIT
git archive --format=tar.gz --prefix="$remote/" --output="$parcel/$remote.tar.gz" HEAD

on_all_hosts() {
  gcloud compute tpus tpu-vm ssh "$tpu" --zone="$zone" --worker=all --command="$1"
}

gcloud compute tpus tpu-vm scp "$parcel/$remote.tar.gz" "$tpu:$remote.tar.gz" --zone="$zone" --worker=all
on_all_hosts "set -e; tar -xzf $remote.tar.gz; cd $remote; $(printf '%q' "$python") -m venv .venv
  .venv/bin/pip install --quiet -e '.[tpu]'"
on_all_hosts "set -e; cd $remote; .venv/bin/python -m distinctad_jax.main --pod $(printf '%q ' "$@")"
