"""What students hand in: found, judged by name, kind and size before it is read, and rebuilt from what was released."""

import ast
import builtins
import copy
import json
import os
import pathlib
import re
import stat

import nbformat
from marks import visible

SIZE = 10_000_000  # bytes of a notebook
CELLS = 1000  # of it
SOURCE = 100_000  # characters of all its cells; the course's own have 15,000
NAME = 200  # bytes of a student's folder's name
ENTRIES = 10_000  # files and folders of a student
DEEP = 20  # folders in each other
CANVAS = re.compile(r"(?P<student>.+?)_(?:LATE_)?(?P<id>\d{1,20})_(?P<file>\d{1,20})_(?P<name>.+)\.ipynb")
# Names that reach beyond an answer: to the system, the checks, the Python that runs both.
READ_IT = {"os", "sys", "open", "subprocess", "ctypes", "threading", "importlib", "exec", "eval", "compile", "inspect"}
READ_IT |= {"gc", "builtins", "globals", "locals", "vars", "modules", "unittest", "pytest", "IPython", "get_ipython"}
READ_IT |= {"exit", "quit", "In", "_ih", "_ip", "tb_frame", "f_back", "f_globals", "f_locals"}
NAMED = {"id", "attr", "name", "asname", "module", "rest"}  # fields of syntax trees that hold a name
GLUON = {"grad_req", "lr_mult", "wd_mult"}  # set on parameters
METHODS = {"open", "compile", "eval"}  # of READ_IT, what is harmless behind a dot
SPECIAL = {"__init__", "__call__", "__len__", "__getitem__", "__repr__", "__str__", "__name__", "__doc__"}  # harmless


def students(submitted):
    """The folders of students, in order, and {name as shown: why it is refused} of what looks like one."""
    folders, refused = [], {}
    for path in sorted(submitted.iterdir(), key=lambda path: os.fsencode(path.name)):
        if path.name[0] == ".":
            continue
        if path.is_symlink():
            refused[visible(path.name, most=NAME)] = "a symbolic link, refused: put the folder itself here"
        elif path.is_dir() and not proper(path.name):
            refused[visible(path.name, most=NAME)] = (
                f"the folder is refused for its name: rename it, to at most {NAME} bytes of UTF-8 without * ? [ ] \\ "
                "or blanks around it"
            )
        elif path.is_dir():
            folders.append(path)
    return folders, refused


def from_canvas(submitted, target, names):
    """Sort the files of Canvas's download, surnamename_LATE_12345_67890_NAME.ipynb, into folders surnamename_12345.

    Files are copied to `target`, of several that are one exercise's the newest; 12345 is the student's ID, 67890 the
    file's. Canvas adds -1, -2, … to the names of later attempts. Returns {student: which files are refused, and why}.
    """
    found, refused = [], {}
    for path in submitted.glob("*.ipynb"):
        if file := CANVAS.fullmatch(path.name):
            found.append((int(file["file"]), path, file))
    for _, path, file in sorted(found):
        name = file["name"] if file["name"] in names else re.sub(r"-\d+$", "", file["name"])
        student, shown = f"{file['student']}_{file['id']}", visible(path.name, most=NAME)
        try:
            if student[0] == "." or not proper(student):
                student = shown
                raise ValueError("is refused for its name")
            (target / student).mkdir(parents=True, exist_ok=True)
            (target / student / f"{name}.ipynb").write_bytes(content(path))
        except ValueError as error:
            refused.setdefault(student, []).append(f"{shown} {error}")
    return {student: "; ".join(why) for student, why in refused.items()}


def nobodys(submitted):
    """Names, as shown, of notebooks that lie beside the students' folders, and aren't Canvas's."""
    return sorted(visible(p.name, most=NAME) for p in submitted.glob("*.ipynb") if not CANVAS.fullmatch(p.name))


def proper(name):
    fits = name.isprintable() and len(os.fsencode(name)) <= NAME
    return fits and name == name.strip() and not set(name) & set("*?[]\\")


def notebooks_in(folder, names):
    """{exercise's name: path} in a student's folder, and notes on what else has a notebook's name."""
    files, notes, count = {}, [], 0

    def unread(error):
        notes.append(f"{relative(error.filename, folder)}: you may not look into it")

    for place, folders, others in os.walk(folder, onerror=unread):
        folders[:] = sorted(name for name in folders if name != ".ipynb_checkpoints")
        if folders and len(pathlib.Path(place).relative_to(folder).parts) == DEEP:
            notes.append(f"folders in folders, more than {DEEP}: what lies deeper was not looked at")
            folders.clear()
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
        count += len(folders) + len(others)
        if count > ENTRIES:
            notes.append(f"more than {ENTRIES} files and folders: what lies deeper was not looked at")
            break
    return files, notes[:20] + [f"and {len(notes) - 20} more such"] * (len(notes) > 20)


def relative(path, folder):
    return visible(os.path.relpath(path, folder), most=NAME)


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
    """The notebook in some bytes, of its cells kind, name and source alone; ValueErrors and others say what is wrong.

    nbformat would also look through outputs and metadata, for minutes where they are made for it.
    """
    found = json.loads(data.decode("utf-8-sig"))["cells"]
    if len(found) > CELLS:
        raise ValueError(f"{len(found)} cells, expected at most {CELLS}")
    cells, length = [], 0
    for cell in found:
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        length += len(source)
        if length > SOURCE:
            raise ValueError(f"cells of more than {SOURCE} characters")
        name = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", "")
        source = source.encode("utf-8", "replace").decode()  # half characters no file can hold
        metadata = {"nbgrader": {"grade_id": name if isinstance(name, str) else ""}}
        cells.append({"cell_type": cell["cell_type"], "source": source, "metadata": metadata})
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
    ours = dict.fromkeys(name for name in dir(builtins) if name.islower())
    for cell in release.cells:
        if cell.cell_type == "code" and not solution(cell):
            ours |= {name: thing for node in ast.walk(ast.parse(cell.source)) for name, thing in imported(node)}
    notes = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source not in texts:
            found = sorted(touched(cell.source, ours))
            name = grade_id(cell) or "a cell of their own"
            notes += [f"{name}: read it, it has {visible(', '.join(found), most=NAME)}"] if found else []
    return notes[:20] + [f"and {len(notes) - 20} more cells to read"] * (len(notes) > 20)


def solution(cell):
    return cell.metadata.get("nbgrader", {}).get("solution", False)


def imported(node):
    """What an import binds, (name, full name of the thing); nothing where the node is no import."""
    module = f"{node.module or ''}." if isinstance(node, ast.ImportFrom) else ""
    for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else []:
        if alias.asname or module:
            yield alias.asname or alias.name, module + alias.name
        else:
            yield (alias.name.split(".")[0],) * 2


def touched(source, ours):
    """Words for what code touches that the teacher should know of; ours: {name that isn't the student's to set: thing}.

    Names of READ_IT wherever they stand, special methods, and what sets one of ours or something of another object.
    """
    found, called = set(), set()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {"lines that are no Python"}  # IPython's own, such as !ls, or an error
    for node in ast.walk(tree):
        words = {word for field, text in ast.iter_fields(node) if field in NAMED and text for word in text.split(".")}
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = {node.value} - METHODS  # as in getattr(x, "__dict__")
        harmless = SPECIAL | (METHODS if isinstance(node, ast.Attribute) else set())
        found |= {word for word in words - harmless if word in READ_IT or word.startswith("__")}
        if isinstance(node, ast.Call):  # ast.walk comes to it before what it calls
            called.add(node.func)
            name = begin(node.func)
            if name == "type" and len(node.args) > 1:
                found.add("type(…, …)")
            elif name == "getattr" and not isinstance(node.args[1:] and node.args[1], ast.Constant):
                found |= {f"getattr({dotted(of)}, …)" for of in node.args[:1]}
        elif isinstance(node, ast.Name) and node.id in ("setattr", "delattr") and node not in called:
            found.add(node.id)  # by another name, or handed to something that calls it
        if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            if (
                begin(node) in ours
                or isinstance(node, ast.Attribute)
                and not (begin(node) == "self" or node.attr in GLUON)
            ):
                found.add(f"{dotted(node)} = …")
        elif isinstance(node, ast.Call) and begin(node.func) in ("setattr", "delattr"):
            found |= {f"setattr({dotted(of)}, …)" for of in node.args[:1] if begin(of) != "self"}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {f"{name} = …" for name, thing in imported(node) if name in ours and ours[name] != thing}
        elif words & ours.keys() and not isinstance(node, ast.Name | ast.Attribute | ast.alias | ast.Constant):
            found |= {f"{word} = …" for word in words & ours.keys()}  # def, class, except … as, case … as
    return found


def dotted(node):
    """An expression such as `np.random.rand` or `np.random[0]` as `np.random.rand`, `np.random`; (…) of others."""
    names = []
    while isinstance(node, ast.Attribute | ast.Subscript):
        names += [node.attr] if isinstance(node, ast.Attribute) else []
        node = node.value
    return ".".join([node.id if isinstance(node, ast.Name) else "(…)", *names[::-1]])


def begin(node):
    return dotted(node).split(".")[0]
