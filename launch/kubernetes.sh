#!/usr/bin/env bash
# Runs a recipe as a Kubernetes job: indexed pods that meet at the first of them, through a headless service.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: launch/kubernetes.sh [--dry-run] ACTION NAME [OPTION ...] [-- --config=configs/NAME.py[:SIZE] ...]

  start NAME --image=IMAGE --claim=CLAIM [--pods=N] [--gpus=N | --tpus=N --accelerator=TYPE --topology=RxC] -- --config=...
        creates the service and the job; the persistent volume claim CLAIM (ReadWriteMany) is mounted at /runs, which
        config.workdir becomes. A pod that saved and stopped (exit code 75), was evicted or lost its node is started again,
        and the run goes on; one with any other error fails the job.
  logs NAME     follows what the first pod says
  status NAME   the job and its pods
  delete NAME   removes job and service; what lies in the claim stays

  --pods=N          pods that work as one (default 1)
  --gpus=N          NVIDIA GPUs of each pod
  --tpus=N          TPU chips of each pod, with --accelerator=tpu-v5-lite-podslice --topology=8x8 (GKE)
  --namespace=NAME  (default: kubectl's own)
  --dry-run         print the manifest or the command

  launch/kubernetes.sh start ad --image=registry.example/distinctad:cuda --claim=runs --pods=2 --gpus=8 \
      -- --config=configs/stage2.py:base
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
[[ $# -ge 2 ]] || { usage >&2; exit 2; }
action=$1 name=$2
shift 2
plain_name "$name" NAME

image='' claim='' pods=1 gpus=0 tpus=0 accelerator='' topology='' where=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    --) shift; break ;;
    --dry-run) dry_run=1 ;;
    --image=*) image=${1#*=} ;;
    --claim=*) claim=${1#*=} ;;
    --pods=*) pods=${1#*=} ;;
    --gpus=*) gpus=${1#*=} ;;
    --tpus=*) tpus=${1#*=} ;;
    --accelerator=*) accelerator=${1#*=} ;;
    --topology=*) topology=${1#*=} ;;
    --namespace=*) plain_name "${1#*=}" --namespace; where=("--namespace=${1#*=}") ;;
    *) fail "unknown option $1; see --help" ;;
  esac
  shift
done
need kubectl "the Kubernetes command line"

# A value as a YAML string: JSON's double quotes.
quoted() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//\$(/\$\$(} # Kubernetes would put a variable there
  printf '"%s"' "$text"
}

manifest() {
  local argument
  cat <<TEXT
apiVersion: v1
kind: Service
metadata: {name: $name}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {job-name: $name}
---
apiVersion: batch/v1
kind: Job
metadata: {name: $name}
spec:
  completions: $pods
  parallelism: $pods
  completionMode: Indexed
  backoffLimit: 1000
  podFailurePolicy:
    rules:
    - action: Ignore
      onPodConditions: [{type: DisruptionTarget}]
    - action: FailJob
      onExitCodes: {containerName: main, operator: NotIn, values: [75, 137, 143]}
  template:
    metadata:
      labels: {job-name: $name}
    spec:
      subdomain: $name
      restartPolicy: Never
      terminationGracePeriodSeconds: 120
TEXT
  if ((tpus > 0)); then
    cat <<TEXT
      nodeSelector:
        cloud.google.com/gke-tpu-accelerator: $(quoted "$accelerator")
        cloud.google.com/gke-tpu-topology: $(quoted "$topology")
TEXT
  fi
  cat <<TEXT
      containers:
      - name: main
        image: $(quoted "$image")
        args:
TEXT
  for argument in "$@" --config.workdir=/runs; do
    printf '        - %s\n' "$(quoted "$argument")"
  done
  if ((pods > 1)); then
    # The index of a pod stands in JOB_COMPLETION_INDEX, which Kubernetes fills in for arguments too.
    cat <<TEXT
        - "--coordinator=$name-0.$name:12355"
        - "--processes=$pods"
        - "--process=\$(JOB_COMPLETION_INDEX)"
TEXT
  fi
  if ((gpus > 0)); then printf '        resources: {limits: {nvidia.com/gpu: %s}}\n' "$gpus"; fi
  if ((tpus > 0)); then printf '        resources: {limits: {google.com/tpu: %s}}\n' "$tpus"; fi
  cat <<TEXT
        volumeMounts:
        - {name: runs, mountPath: /runs}
        - {name: memory, mountPath: /dev/shm}
      volumes:
      - {name: runs, persistentVolumeClaim: {claimName: $claim}}
      - {name: memory, emptyDir: {medium: Memory}}
TEXT
}

case "$action" in
  start)
    [[ $# -gt 0 ]] || fail "start: no command; write -- --config=configs/NAME.py"
    [[ -n $image ]] || fail "start: --image is missing"
    plain_name "$claim" --claim
    for number in "$pods" "$gpus" "$tpus"; do
      [[ $number =~ ^(0|[1-9][0-9]{0,3})$ ]] || fail "$number: --pods, --gpus and --tpus need numbers"
    done
    # Here, as a failure within a substitution would end nothing.
    for argument in "$image" "$accelerator" "$topology" "$@"; do
      [[ $argument != *[[:cntrl:]]* ]] || fail "control characters in $(printf '%q' "$argument")"
    done
    ((pods > 0)) || fail "--pods=$pods: needs a number from 1"
    ((tpus == 0)) || [[ -n $accelerator && -n $topology ]] || fail "--tpus needs --accelerator and --topology"
    ((tpus == 0 || gpus == 0)) || fail "--gpus and --tpus exclude each other"
    if [[ -n $dry_run ]]; then
      manifest "$@"
    else
      text=$(manifest "$@")
      kubectl "${where[@]}" apply --filename=- <<<"$text"
    fi
    ;;
  logs) run kubectl "${where[@]}" logs --follow --selector="job-name=$name,batch.kubernetes.io/job-completion-index=0" ;;
  status)
    run kubectl "${where[@]}" get "job/$name"
    run kubectl "${where[@]}" get pods "--selector=job-name=$name"
    ;;
  delete) run kubectl "${where[@]}" delete "job/$name" "service/$name" --ignore-not-found ;;
  *) fail "unknown action $action; see --help" ;;
esac
