#!/usr/bin/env bash
# Runs a recipe on this host, with the virtual environment of the checkout if there is one.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: launch/local.sh --config=configs/NAME.py[:SIZE] [--config.KEY=VALUE ...] [--debug]

Runs `python -m distinctad_jax.main` with these arguments from the root of the checkout, on all devices of this host.
Paths of configs are taken from there. Exit codes: see docs/running.md.

  launch/local.sh --config=configs/demo.py:tiny
  launch/local.sh --config=configs/stage2.py --config.stage2.clips=4
TEXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  '') usage >&2; exit 2 ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=python3
if [[ -x .venv/bin/python ]]; then
  python=.venv/bin/python
fi
exec "$python" -m distinctad_jax.main "$@"
