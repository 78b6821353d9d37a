#!/bin/bash
# Checks that the C files of src/, tests/ and bench/ are as clang-format with .clang-format writes
# them.
# Usage: format.sh ROOT
set -euo pipefail
cd "$1"

if ! command -v clang-format > /dev/null; then
	echo "clang-format is not installed"
	exit 77
fi
# values.h is written by a script, one row per value.
find src tests bench -name '*.[ch]' ! -path tests/unit/stat/values.h -print0 | sort -z |
	xargs -0 -r clang-format --dry-run -Werror
