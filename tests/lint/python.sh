#!/bin/bash
# Compiles every python script of tests/ and bench/, so that a syntax error shows before the script
# is needed.
# Usage: python.sh ROOT
set -euo pipefail
cd "$1"

PYTHONPYCACHEPREFIX=$(mktemp -d)
export PYTHONPYCACHEPREFIX
trap 'rm -rf "$PYTHONPYCACHEPREFIX"' EXIT
find tests bench -name '*.py' -print0 | sort -z | xargs -0 -r python3 -m py_compile
