"""Digests: a few digits that stand for code, data or a net, so that a kept result is stale when these changed.

`train_or_load` and the tables of `results/` keep what was trained under them (chapters 08 to 10). A code digest covers
the definitions that a training can reach, no more and no less: from where it begins, each name that a definition uses
is followed to the definition that it means, through the imports at the top of modules. What is imported inside a
function is not followed: such an import says that most runs don't come there (a download, a notebook's widgets).
An entry of `backbones`, or a net of `register_model`, counts where its name is written in code that is reached.
Comments, docstrings, the names and places of files don't count. Nor does what a `raise` raises: a run that ends there
has no result, so a better message makes none stale. That something is raised counts, and so does the condition.
"""

import ast
import functools
import hashlib
import inspect
import pathlib
import textwrap

import mxnet as mx
from mxnet import gluon

from ..data.voc import image_path, label_path

ROOT = pathlib.Path(__file__).resolve().parents[2]


def code_digest(*begins, root=ROOT):
    """12 hexadecimal digits that stand for what code does: for all definitions that a training can reach.

    begins: where it begins. A pair of a script's path and the name of a function in it; a function, such as the `fit`
    of `train_or_load`, with the functions beside it that it calls; a net, a loss or a data set, whose classes count.
    root: the folder that has `utils` in it.
    """
    reached = _Reached(root)
    for begin in begins:
        if isinstance(begin, tuple):
            path, name = begin
            reached.follow((pathlib.Path(path).resolve(), name))
        elif inspect.isfunction(begin):
            _add_function(reached, begin)
        else:
            _add_classes(reached, begin)
    reached.add_known_by_name()
    return hashlib.sha256("\n".join(sorted(reached.texts)).encode()).hexdigest()[:12]


class _Reached:
    """The definitions found so far, as the texts of their syntax trees."""

    def __init__(self, root):
        self.root, self.texts, self.seen = root, set(), set()
        self._written, self._entries = set(), []  # texts in code; (file, name, code) of what waits for its name
        for path in sorted(root.joinpath("utils", "models").glob("*.py")):
            for nodes in _module(path, root).definitions.values():
                self._entries += [(path, name, node) for node in nodes for name in _registered(node)]

    def follow(self, place, rest=()):
        """Add what a dotted name means.

        place: its first part, as (file, name in it, or None for the module itself). rest: the other parts.
        """
        rest = list(rest)
        while place is not None:
            path, name = place
            module = _module(path, self.root)
            if name is None and not rest:  # the module as a whole
                every = [node for nodes in module.definitions.values() for node in nodes]
                self._add(path, None, [*module.loose, *every])
                return
            if name is None:
                place = path, rest.pop(0)
            elif name in module.imports:
                place = module.imports[name]
            elif name in module.definitions:  # what follows are its attributes
                self._add(path, name, [*module.loose, *module.definitions[name]])
                return
            else:
                inner = _file(path.parent / name) if path.name == "__init__.py" else None
                place = inner and (inner, None)

    def _add(self, path, name, nodes):
        if (path, name) in self.seen:
            return
        self.seen.add((path, name))
        for node in nodes:
            if name is not None and (table := self._table(path, node)):
                self._entries += [(path, key.value, value) for key, value in table]
            else:
                self._add_node(path, node)

    def add_known_by_name(self):
        """At the end: what waits for its name, where that name is written; and what is written there in turn."""
        while found := [entry for entry in self._entries if entry[1] in self._written]:
            self._entries = [entry for entry in self._entries if entry not in found]
            for path, _, node in found:
                self._add_node(path, node)

    def add_text(self, node):
        """A piece of code, without what its names mean."""
        self.texts.add(ast.dump(node))  # without the lines' numbers
        self._written |= {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}

    def _add_node(self, path, node):
        module = _module(path, self.root)
        self.add_text(node)
        for first, *rest in _names(node):
            if first in module.imports or first in module.definitions:
                self.follow((path, first), rest)

    def _table(self, path, node):
        """Pairs of key and value where a node gives a name to a table: texts → functions or classes of the course."""
        value = getattr(node, "value", None)
        if not isinstance(value, ast.Dict) or not all(isinstance(key, ast.Constant) for key in value.keys):
            return []
        module = _module(path, self.root)
        known = module.imports.keys() | module.definitions.keys()
        mean = [any(first in known for first, *_ in _names(part)) for part in value.values]
        return list(zip(value.keys, value.values, strict=True)) if all(mean) else []


def _registered(node):
    """The names under which a definition's decorators register it: register_model("fcn8s")."""
    for call in getattr(node, "decorator_list", []):
        registers = isinstance(call, ast.Call) and getattr(call.func, "id", "").startswith("register_")
        if registers and call.args and isinstance(call.args[0], ast.Constant):
            yield call.args[0].value


class _Module:
    """A file's definitions by name, where its imported names come from, and what it does besides when imported."""

    def __init__(self, path, root):
        self.definitions, self.imports, self.loose = {}, {}, []
        for node in _parsed(path.read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self.imports |= dict(_imported(node, path, root))
            elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                self.definitions.setdefault(node.name, []).append(node)
            elif names := _assigned(node):
                for name in names:
                    self.definitions.setdefault(name, []).append(node)
            elif not _is_script_part(node):
                self.loose.append(node)


class _WhatCounts(ast.NodeTransformer):
    """Leaves out docstrings, and what is raised."""

    def visit_Expr(self, node):
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)  # a docstring, or like one
        return None if is_text else node

    def visit_Raise(self, node):
        return ast.Raise()


def _parsed(text):
    return _WhatCounts().visit(ast.parse(text))


@functools.cache
def _read(path, root, changed):
    return _Module(path, root)


def _module(path, root):
    return _read(path, root, path.stat().st_mtime_ns)


def _file(path):
    """The file of a module whose place is named without its ending, or None for one that is not of the course."""
    if path.suffix == ".py":
        return path
    places = path.with_suffix(".py"), path / "__init__.py"
    return next((place for place in places if place.is_file()), None)


def _imported(node, path, root):
    """(name, (file, name in it, or None for the module itself)) of an import from a file of the course."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            first = alias.name if alias.asname else alias.name.split(".")[0]
            if file := _found(first.split("."), path, root):
                yield alias.asname or first, (file, None)
        return
    folder = path.parents[node.level - 1] if node.level else None
    parts = (node.module or "").split(".") if node.module else []
    file = _file(folder.joinpath(*parts)) if folder else _found(parts, path, root)
    for alias in node.names if file else ():
        yield alias.asname or alias.name, (file, alias.name)


def _found(parts, path, root):
    """The file of an absolute import: from the course's folder, or from beside the script."""
    return _file(root.joinpath(*parts)) or _file(path.parent.joinpath(*parts))


def _assigned(node):
    targets = getattr(node, "targets", None) or (
        [node.target] if isinstance(node, (ast.AnnAssign, ast.AugAssign)) else []
    )
    parts = [part for target in targets for part in ([*target.elts] if isinstance(target, ast.Tuple) else [target])]
    return [part.id for part in parts] if parts and all(isinstance(part, ast.Name) for part in parts) else []


def _names(tree):
    """Dotted names in a piece of code, as lists: ["utils", "train"] for utils.train."""
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and id(node) not in inner:
            parts = []
            while isinstance(node, ast.Attribute):
                parts, node = [node.attr, *parts], node.value
            if isinstance(node, ast.Name):
                yield [node.id, *parts]


def _is_script_part(node):
    """if __name__ == "__main__": what a file does when it is run, and not where it is imported."""
    return isinstance(node, ast.If) and "__name__" in (name for name, *_ in _names(node.test))


def _add_function(reached, function):
    """The text of a function of a notebook or script, and what it takes from outside that has a source here."""
    if (file := _own_file(function, reached.root)) is not None:
        reached.follow((file, function.__name__))
        return
    if ("function", function) in reached.seen:
        return
    reached.seen.add(("function", function))
    tree = _parsed(textwrap.dedent(inspect.getsource(function)))
    reached.add_text(tree)
    known = function.__globals__ | inspect.getclosurevars(function).nonlocals
    for first, *rest in _names(tree):
        value = known.get(first)
        if inspect.ismodule(value):
            if file := _file(reached.root.joinpath(*value.__name__.split("."))):
                reached.follow((file, None), rest)
        elif inspect.isfunction(value):
            _add_function(reached, value)
        elif inspect.isclass(value) or _trains(value):
            _add_classes(reached, value)


def _add_classes(reached, thing):
    """The classes of an object and of what it is made of: a net's layers, a data set's transforms."""
    if inspect.isclass(thing):
        if (file := _own_file(thing, reached.root)) is not None:
            reached.follow((file, thing.__qualname__.split(".")[0]))
    elif isinstance(thing, (list, tuple, dict)):
        for part in thing.values() if isinstance(thing, dict) else thing:
            _add_classes(reached, part)
    elif _trains(thing) and id(thing) not in reached.seen:
        reached.seen.add(id(thing))
        _add_classes(reached, type(thing))
        _add_classes(reached, vars(thing))


def _trains(thing):
    """Not a curve that is drawn meanwhile: who looks on changes no training."""
    return isinstance(thing, (gluon.Block, gluon.data.Dataset)) or type(thing).__module__.startswith("utils.data.")


def _own_file(thing, root):
    """The file of the course that defines a function or a class, or None."""
    name = getattr(thing, "__module__", None) or ""
    return _file(root.joinpath(*name.split("."))) if name.split(".")[0] == "utils" else None


def data_digest(dataset):
    """12 hexadecimal digits that stand for the pictures, labels and classes of a `VOCSegDataset`, and its settings."""
    digest = hashlib.sha256(repr(dataset).encode())
    digest.update(f"{dataset.classes.names} {dataset.classes.colors} {dataset.seed}".encode())
    for name in dataset.names:
        for path in image_path(dataset.root, name), label_path(dataset.root, name):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def net_digest(net):
    """What a net is, and what its weights are as far as they are known yet: 64 hexadecimal digits."""
    digest = hashlib.sha256(repr(net).encode())
    for parameter in net.collect_params().values():
        digest.update(f"{parameter.shape} {parameter.grad_req} {parameter.lr_mult} {parameter.wd_mult}".encode())
        try:
            digest.update(parameter.list_data()[0].asnumpy().tobytes())
        except gluon.parameter.DeferredInitializationError:  # made at the first batch: from what?
            own, _, default, data = parameter._deferred_init
            digest.update(f"{_name(own)} {_name(default)}".encode() if data is None else data.asnumpy().tobytes())
    return digest.hexdigest()


def _name(initializer):
    return initializer.dumps() if isinstance(initializer, mx.init.Initializer) else repr(initializer)
