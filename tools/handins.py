"""What students hand in: found, judged by name, kind and size before it is read, and rebuilt from what was released."""

import ast
import builtins
import copy
import json
import os
import pathlib
import stat

import nbformat

SIZE = 20_000_000  # bytes of a notebook
CELLS = 1000  # of it
SOURCE = 50_000  # characters of a cell
NAME = 200  # bytes of a student's folder's name
ENTRIES = 10_000  # files and folders of a student
READ_IT = {"get_ipython", "os", "sys", "open", "exec", "eval", "compile", "inspect", "subprocess", "ctypes", "gc"}
READ_IT |= {"builtins", "importlib", "IPython", "threading", "globals", "__builtins__", "__import__"}
READ_IT |= {"__class__", "__globals__", "__dict__", "__code__", "__subclasses__"}


def students(submitted):
    """The folders of students, in order, and {name as shown: why it is refused} of what looks like one."""
    folders, refused = [], {}
    for path in sorted(submitted.iterdir(), key=lambda path: os.fsencode(path.name)):
        if path.name[0] == ".":
            continue
        if path.is_symlink():
            refused[shown(path.name)] = "a symbolic link, refused: put the folder itself here"
        elif path.is_dir() and not proper(path.name):
            refused[shown(path.name)] = (
                f"the folder is refused for its name: rename it, to at most {NAME} bytes of UTF-8 without * ? [ ] \\"
            )
        elif path.is_dir():
            folders.append(path)
    return folders, refused


def proper(name):
    return name.isprintable() and not set(name) & set("*?[]\\") and len(os.fsencode(name)) <= NAME


def shown(text, most=NAME):
    """A name or message as it can be printed: one line, no control characters, no half ones."""
    text = str(text)
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:most])
    return line + " …" * (len(text) > most)


def notebooks_in(folder, names):
    """{exercise's name: path} in a student's folder, and notes on what else has a notebook's name."""
    files, notes, count = {}, [], 0

    def unread(error):
        notes.append(f"{relative(error.filename, folder)}: you may not look into it")

    for place, folders, others in os.walk(folder, onerror=unread):
        folders[:] = sorted(name for name in folders if name != ".ipynb_checkpoints")
        count += len(folders) + len(others)
        if count > ENTRIES:
            notes.append(f"more than {ENTRIES} files and folders: what lies deeper was not looked at")
            break
        for name in [*folders, *sorted(others)]:
            path = pathlib.Path(place, name)
            kind = os.lstat(path).st_mode
            why = None
            if stat.S_ISLNK(kind) and (name in folders or path.suffix == ".ipynb"):
                why = "a symbolic link, refused"
            elif path.suffix != ".ipynb" or stat.S_ISDIR(kind):
                continue
            elif not stat.S_ISREG(kind):
                why = "a pipe or a device, refused"
            elif path.stem not in names:
                why = "no exercise's name"
            elif path.stem in files:
                why = "a second one"
            if why:
                notes.append(f"{relative(path, folder)}: {why}")
            else:
                files[path.stem] = path
    return files, notes[:20] + [f"and {len(notes) - 20} more such"] * (len(notes) > 20)


def relative(path, folder):
    return shown(os.path.relpath(path, folder))


def content(path):
    """The bytes of a hand-in; a ValueError says why there are none."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("is no file")
            data = file.read(SIZE + 1)
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
    if len(data) > SIZE:
        raise ValueError(f"is larger than {SIZE // 1_000_000} MB: ask for it again, without its outputs")
    return data


def parsed(data):
    """The notebook in some bytes: kinds, names and sources of its cells alone. Errors of any kind say what is wrong.

    nbformat would also look through outputs and metadata, for minutes where they are made for it.
    """
    cells = []
    for cell in json.loads(data.decode("utf-8-sig"))["cells"]:
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        if len(source) > SOURCE:
            raise ValueError(f"a cell of {len(source)} characters, expected at most {SOURCE}")
        name = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", "")
        source = source.encode("utf-8", "replace").decode()  # half characters no file can hold
        cells.append({"cell_type": cell["cell_type"], "source": source, "metadata": {"nbgrader": {"grade_id": name}}})
    if len(cells) > CELLS:
        raise ValueError(f"{len(cells)} cells, expected at most {CELLS}")
    return nbformat.from_dict({"cells": cells})


def grade_id(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def rebuilt(submission, release):
    """The released notebook with the student's solutions, and further cells, in their places; and what was amiss."""
    notebook, notes = copy.deepcopy(release), []
    names, texts = {grade_id(cell) for cell in release.cells}, {cell.source for cell in release.cells}
    mine, further, place = {}, {}, ""
    for cell in submission.cells:
        name = grade_id(cell)
        if name and name in names and name not in mine:
            mine[name], place = cell.source, name
        elif cell.cell_type == "code":
            further.setdefault(place, []).append(nbformat.v4.new_code_cell(cell.source))
        elif cell.cell_type == "markdown" and cell.source not in texts:
            further.setdefault(place, []).append(nbformat.v4.new_markdown_cell(cell.source))
    notebook.cells = further.get("", [])
    for cell in copy.deepcopy(release.cells):
        notebook.cells.append(cell)
        if not (name := grade_id(cell)):
            continue
        if name not in mine:
            notes.append(f"{name} was missing: " + ("blank" if cell.metadata.nbgrader.solution else "put back"))
        elif cell.metadata.nbgrader.solution:
            cell.source = mine[name]
        elif cell.source.split() != mine[name].split():
            notes.append(f"{name} was changed: the original counts")
        notebook.cells += further.get(name, [])
    return notebook, notes


def to_read(notebook, release):
    """Notes on what of a student's code the teacher should read: what could reach the checks rather than pass them."""
    texts = {cell.source for cell in release.cells}
    given = [ast.parse(cell.source) for cell in release.cells if cell.cell_type == "code" and not solution(cell)]
    ours = {name for tree in given for name in imported(tree)} | {name for name in dir(builtins) if name.islower()}
    notes = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source not in texts:
            found = sorted(touched(cell.source, ours))
            name = grade_id(cell) or "a cell of their own"
            notes += [f"{name}: read it, it has {shown(', '.join(found))}"] if found else []
    return notes


def solution(cell):
    return cell.metadata.get("nbgrader", {}).get("solution", False)


def imported(tree):
    """The names that imports bind."""
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))
    return {(alias.asname or alias.name).split(".")[0] for node in imports for alias in node.names}


def touched(source, ours):
    """Words for what code touches that the teacher should know of; ours: names that are not the student's to set."""
    found = set()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {"lines that are no Python"}  # IPython's own, such as !ls, or an error
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            word = node.id if isinstance(node, ast.Name) else node.attr
            if word in READ_IT and (isinstance(node, ast.Name) or word[0] == "_"):
                found.add(word)
            if isinstance(node.ctx, ast.Store | ast.Del) and begin(node) in ours:
                found.add(f"{ast.unparse(node)} = …")
        elif isinstance(node, ast.Call) and begin(node.func) == "setattr" and node.args:
            if begin(node.args[0]) in ours:
                found.add(f"setattr({ast.unparse(node.args[0])}, …)")
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in ours:
            found.add(f"{node.name} = …")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            modules = {alias.name.split(".")[0] for alias in node.names}
            modules |= {(getattr(node, "module", "") or "").split(".")[0]}
            found |= modules & READ_IT
    return found


def begin(node):
    """The name that an expression such as `np.random.rand` begins with; None of others."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
