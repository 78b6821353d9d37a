#!/bin/bash
# Runs shellcheck over every shell script of the tree.
# Usage: shell.sh ROOT
set -euo pipefail
cd "$1"

if ! command -v shellcheck > /dev/null; then
	echo "shellcheck is not installed"
	exit 77
fi
find tests bench scripts .ci/run -type f \( -name '*.sh' -o -path .ci/run \) -print0 | sort -z |
	xargs -0 -r shellcheck -x -P SCRIPTDIR
