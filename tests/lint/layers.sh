#!/bin/bash
# Checks that dependencies in src/ go one way: a folder includes itself and folders of lower layers
# (src/LAYERS), never another one of its own layer or above, and each .c includes its own header first.
# Usage: layers.sh ROOT
set -euo pipefail
cd "$1/src"

bad=0
complain() {
	echo "src/$*"
	bad=1
}

declare -A layer
while read -r level folders; do
	[[ $level =~ ^[0-9]+$ ]] || continue
	for f in $folders; do
		layer[$f]=$level
		[[ -d $f ]] || complain "LAYERS: '$f' is no folder of src"
	done
done < LAYERS

check_include() { # FILE LINE TARGET
	local from=${1%%/*} to=${3%%/*}

	if [[ $3 != */* ]]; then
		complain "$1:$2: \"$3\" must be written \"folder/file.h\""
	elif [[ -z ${layer[$to]:-} ]]; then
		complain "$1:$2: '$to' is not in LAYERS"
	elif [[ $from != "$to" ]] && ((layer[$to] >= layer[$from])); then
		complain "$1:$2: '$from' (layer ${layer[$from]}) may not include '$to' (layer ${layer[$to]})"
	fi
}

check_file() {
	local file=$1 own=${1%.c}.h first='' line text

	while IFS=: read -r line text; do
		[[ $text =~ ([<\"])([^>\"]+) ]] || continue
		first=${first:-${BASH_REMATCH[2]}}
		[[ ${BASH_REMATCH[1]} == '<' ]] || check_include "$file" "$line" "${BASH_REMATCH[2]}"
	done < <(grep -nE '^[[:space:]]*#[[:space:]]*include' "$file" || true)
	[[ $file != *.c || ! -f $own || $first == "$own" ]] ||
		complain "$file:1: the first include must be \"$own\", not '$first'"
}

shopt -s nullglob
for dir in */; do
	if [[ -z ${layer[${dir%/}]:-} ]]; then
		complain "$dir: not in LAYERS"
		continue
	fi
	for file in "$dir"*.[ch]; do
		check_file "$file"
	done
done
exit "$bad"
