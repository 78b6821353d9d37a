#!/usr/bin/env python3
"""Checks that dependencies in src/ go one way: a folder includes itself and folders of lower layers
(src/LAYERS), never another one of its own layer or above, and each .c includes its own header first.

Usage: layers.py ROOT
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)', re.M)


def read_layers(path):
    layer = {}
    for line in path.read_text().splitlines():
        level, *folders = line.split() or ['']
        if level.isdigit():
            layer.update(dict.fromkeys(folders, int(level)))
    return layer


def include_fault(layer, own, target):
    """what is wrong with including target from the folder own, or None"""
    to = target.split('/')[0]
    if '/' not in target:
        return f'"{target}" must be written "folder/file.h"'
    if to not in layer:
        return f"'{to}' is not in LAYERS"
    if own != to and layer[to] >= layer[own]:
        return f"'{own}' (layer {layer[own]}) may not include '{to}' (layer {layer[to]})"
    return None


def file_faults(src, path, layer):
    """(line, fault) of a file"""
    text = path.read_text()
    includes = list(INCLUDE.finditer(text))
    for m in includes:
        fault = include_fault(layer, path.parent.name, m[2]) if m[1] == '"' else None
        if fault:
            yield text.count('\n', 0, m.start()) + 1, fault
    own = path.with_suffix('.h')
    if path.suffix == '.c' and own.exists():
        name = str(own.relative_to(src))
        first = includes[0][2] if includes else ''
        if first != name:
            yield 1, f'the first include must be "{name}", not \'{first}\''


def faults(src):
    layer = read_layers(src / 'LAYERS')
    folders = {d.name for d in src.iterdir() if d.is_dir()}
    for name in sorted(set(layer) - folders):
        yield f"src/LAYERS: '{name}' is no folder of src"
    for name in sorted(folders - set(layer)):
        yield f'src/{name}/: not in LAYERS'
    for name in sorted(folders & set(layer)):
        for path in sorted((src / name).glob('*.[ch]')):
            for line, fault in file_faults(src, path, layer):
                yield f'{path.relative_to(src.parent)}:{line}: {fault}'


found = list(faults(pathlib.Path(sys.argv[1]) / 'src'))
for line in found:
    print(line)
sys.exit(bool(found))
