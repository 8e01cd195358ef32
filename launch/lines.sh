# shellcheck shell=bash
# What the launchers share: how they say what is wrong, and what they run. Sourced, not run.

# Exit code of a command that saved its work and wants to be started again (errors.Stopped).
# shellcheck disable=SC2034 # for those who source it
readonly AGAIN=75

fail() { # MESSAGE [CODE]
  printf 'error: %s\n' "$1" >&2
  exit "${2:-2}"
}

need() { # PROGRAM WHAT
  [[ -n ${dry_run:-} ]] || command -v "$1" >/dev/null || fail "no $1; install $2" 4
}

# Runs a command, or with --dry-run prints it as it would be typed.
run() {
  if [[ -n ${dry_run:-} ]]; then
    printf '%q ' "$@" | sed 's/ $//'
    printf '\n'
  else
    "$@"
  fi
}

plain_name() { # VALUE WHAT
  [[ $1 =~ ^[a-z]([a-z0-9-]{0,60}[a-z0-9])?$ ]] || fail "$2=$1: needs a name of small letters, digits and dashes"
}
