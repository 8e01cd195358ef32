#!/usr/bin/env bash
# Runs a recipe as a SLURM job: one task for each GPU (or node), which find each other through SLURM's own variables.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: launch/slurm.sh [--dry-run] [--now] [--nodes=N] [--tasks-per-node=N] [--time=H:MM:SS] [--sbatch=OPTION ...]
                       --config=configs/NAME.py[:SIZE] [--config.KEY=VALUE ...]

Submits a job (sbatch) that runs `python -m distinctad_jax.main` with these arguments in every task, from the root of the
checkout, which all nodes have to see, as they have config.workdir. Two minutes before its time is over SLURM sends SIGTERM:
training saves and ends with code 75, and the job puts itself into the queue again and goes on where it was; so it does
when a task was killed, at most 20 times.

  --nodes=N            nodes (default 1)       --tasks-per-node=N   one for each GPU of a node (default 1)
  --time=H:MM:SS       time limit (default 24:00:00)
  --sbatch=OPTION      any option for sbatch, as --sbatch=--partition=gpu; may stand several times
  --now                inside an allocation (salloc): run with srun at once instead of submitting
  --dry-run            print the job script or the command

  launch/slurm.sh --nodes=2 --tasks-per-node=8 --sbatch=--gpus-per-node=8 --config=configs/stage2.py:base
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/lines.sh
source "$root/launch/lines.sh"

dry_run='' now='' nodes=1 tasks=1 limit=24:00:00 options=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --dry-run) dry_run=1 ;;
    --now) now=1 ;;
    --nodes=*) nodes=${1#*=} ;;
    --tasks-per-node=*) tasks=${1#*=} ;;
    --time=*) limit=${1#*=} ;;
    --sbatch=*) options+=("${1#*=}") ;;
    *) break ;;
  esac
  shift
done
[[ $# -gt 0 ]] || { usage >&2; exit 2; }
[[ $nodes =~ ^[1-9][0-9]{0,3}$ ]] || fail "--nodes=$nodes: needs a number from 1"
[[ $tasks =~ ^[1-9][0-9]?$ ]] || fail "--tasks-per-node=$tasks: needs a number from 1"
[[ $limit =~ ^[0-9:-]+$ ]] || fail "--time=$limit: needs [D-]H:MM:SS"
for option in "${options[@]}"; do
  [[ $option == -* && $option != *$'\n'* ]] || fail "--sbatch=$option: needs an option of sbatch, with its dashes"
done

python=python3
if [[ -x $root/.venv/bin/python ]]; then
  python=$root/.venv/bin/python
fi
# Tasks notice by themselves that one is gone, and end with the code to start again; --wait is for what does not.
step=(srun --kill-on-bad-exit=0 --wait=90 "--nodes=$nodes" "--ntasks-per-node=$tasks" "$python" -m distinctad_jax.main "$@")

if [[ -n $now ]]; then
  need srun "SLURM"
  cd "$root"
  run "${step[@]}"
  exit
fi

need sbatch "SLURM"
script() {
  cat <<TEXT
#!/usr/bin/env bash
#SBATCH --job-name=distinctad
#SBATCH --nodes=$nodes
#SBATCH --ntasks-per-node=$tasks
#SBATCH --time=$limit
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
TEXT
  ((${#options[@]} == 0)) || printf '#SBATCH %s\n' "${options[@]}"
  printf 'cd %q || exit 4\nstatus=0\n' "$root"
  printf '%q ' "${step[@]}"
  # 137 and 143: a task was killed. SLURM itself requeues a job that lost a node.
  cat <<TEXT
|| status=\$?
case "\$status" in
  $AGAIN | 137 | 143) [ "\${SLURM_RESTART_COUNT:-0}" -ge 20 ] || scontrol requeue "\$SLURM_JOB_ID" ;;
esac
exit "\$status"
TEXT
}
if [[ -n $dry_run ]]; then
  printf "sbatch <<'JOB'\n"
  script
  printf 'JOB\n'
else
  script | sbatch
fi
