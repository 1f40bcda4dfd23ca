"""Marks as a school's system imports them: grading/grades-moodle.csv, or grading/grades-canvas.csv.

`make grade ROSTER=class.csv` takes a class list as the system exports it, CSV with a row for each student:

Moodle   grades, participants, or an assignment's grading worksheet: names, and ID number, Email address or Username
Canvas   the gradebook: Student, ID, … Section, assignments, totals. It comes back with our marks in it, nothing else
         changed, as Canvas finds students and assignments by their IDs

Students' folders are joined to rows by what their names say. One that has marks and no row, or several, is an error:
then neither file is written. One column an exercise, its points; what was not handed in has no mark, and is no 0.
"""

import codecs
import collections
import csv
import difflib
import io
import re
import unicodedata

import marks
import notebooks
from marks import visible

FILES = {"moodle": "grades-moodle.csv", "canvas": "grades-canvas.csv"}
SIZE = 10_000_000  # bytes of a class list
MOODLE = re.compile(r"(?P<name>.*)_(?P<number>\d+)_assignsubmission_(?P<kind>[a-z]+)_?")  # with _ up to Moodle 4.0
CANVAS = re.compile(r"(?P<name>.+)_(?P<number>\d+)")  # what handins.from_canvas calls a student
IDENTIFIERS = {"email address": "email", "email": "email", "id number": "id", "username": "username"}
NAMES = {"first name": "first", "last name": "last", "surname": "last", "full name": "full"}
NAMES |= {"first name / last name": "full", "first name / surname": "full"}
EXCUSED = "EX"  # Canvas's word for one who need not hand in: a mark would take that back
NOT_GRADED = "-"  # Moodle's word for no mark; an empty cell becomes 0 in a grade item that the import makes
FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
Row = collections.namedtuple("Row", "line cells shown exact names number")
Roster = collections.namedtuple("Roster", "path kind separator header lines students")
"""lines: [(line, cells)] below the header. students: a `Row` for each of those that is a student."""


def read(path):
    """The `Roster` in a file; a ValueError names the file, line, value found, value expected, and what to do."""
    text = decoded(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(",;\t", key=lambda one: len(next(csv.reader([first], delimiter=one), [])))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: no CSV ({error}); export it anew") from None
    if len(lines) < 2:
        raise ValueError(f"{path}: no students in it; expected the column names, and a row for each student")
    header = lines.pop(0)[1]
    for number, row in lines:
        while len(row) > len(header) and not row[-1].strip():
            row.pop()  # a spreadsheet's empty cells
        if len(row) > len(header):
            raise ValueError(
                f"{path}, line {number}: {len(row)} cells, but {len(header)} columns: is a comma in a name that has no "
                "quotes round it? Export it anew"
            )
        row += [""] * (len(header) - len(row))
    canvas = header[:2] == ["Student", "ID"] or header[:3] == ["LastName", "FirstName", "ID"]
    students = (of_canvas if canvas else of_moodle)(path, header, lines)
    return Roster(path, "canvas" if canvas else "moodle", separator, header, lines, students)


def decoded(path):
    try:
        with open(path, "rb") as file:
            data = file.read(SIZE + 1)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; expected a class list that Moodle or Canvas exported") from None
    if len(data) > SIZE:
        raise ValueError(f"{path}: more than {SIZE // 1_000_000} MB; expected a class list, CSV")
    if data.startswith(b"PK"):
        raise ValueError(f"{path}: an Excel or zip file; expected CSV: in Excel, Save As, CSV UTF-8")
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # Excel's "Unicode text"
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path}, line {line}: byte {data[error.start]:#04x} is not UTF-8; save it as CSV UTF-8, or export it anew"
        ) from None


def of_moodle(path, header, lines):
    """The students of Moodle's list, by the columns that identify them."""
    columns = {i: name.strip().casefold() for i, name in enumerate(header)}
    found = {i: (IDENTIFIERS | NAMES)[name] for i, name in columns.items() if name in IDENTIFIERS or name in NAMES}
    if twice := [kind for kind, count in collections.Counter(found.values()).items() if count > 1]:
        same = [header[i] for i, kind in found.items() if kind == twice[0]]
        raise ValueError(f"{path}, line 1: two columns for the same, {' and '.join(same)}; delete one")
    if not set(found.values()) & set(IDENTIFIERS.values()):
        raise ValueError(
            f"{path}, line 1: its columns are {listed(header)}; expected one named Email address, ID number or "
            "Username, by which Moodle finds a student, or Canvas's Student and ID. Export in English, or rename it"
        )
    place = {kind: i for i, kind in found.items()}
    number = next((i for i, name in columns.items() if name == "identifier"), None)  # of a grading worksheet
    students = []
    for line, cells in lines:
        cell = {kind: cells[i].strip() for kind, i in place.items()}
        identifiers = {kind: cell[kind] for kind in set(cell) & set(IDENTIFIERS.values()) if cell[kind]}
        names = {cell.get("full", ""), *both(cell.get("first", ""), cell.get("last", ""))}
        exact = {plain(value) for value in identifiers.values()} | {plain(cell.get("email", "").split("@")[0])}
        participant = re.search(r"\d+", cells[number]) if number is not None else None
        shown = cell.get("full") or f"{cell.get('first', '')} {cell.get('last', '')}".strip() or f"line {line}"
        names = {plain(name) for name in names} - {""}
        students.append(Row(line, cells, shown, exact - {""}, names, participant and participant[0]))
        for kind in identifiers:
            safe(path, line, header[place[kind]], identifiers[kind])
    for kind in set(place) & set(IDENTIFIERS.values()):
        unique(path, header[place[kind]], [(row.line, row.cells[place[kind]].strip()) for row in students])
    return students


def of_canvas(path, header, lines):
    """The students of Canvas's gradebook, by their IDs; its other rows are no students."""
    at, wanted = header.index("ID"), "Canvas's own export of the gradebook, unchanged"
    if "Section" not in header:
        raise ValueError(f"{path}, line 1: no column named Section; expected {wanted}")
    if not any(is_points(cells) for _, cells in lines):
        raise ValueError(f'{path}: no row that begins with "Points Possible"; expected {wanted}')
    students = []
    for line, cells in lines:
        if is_points(cells) or not any(cell.strip() for cell in cells[: header.index("Section") + 1]):
            continue  # the points, and which assignments are posted by hand
        if not re.fullmatch(r"\d+", cells[at].strip()):
            raise ValueError(
                f"{path}, line {line}: ID {cells[at]!r}, expected a whole number; a spreadsheet may have changed it. "
                f"Take {wanted}"
            )
        logins = [i for i in range(at + 1, header.index("Section")) if cells[i].strip()]
        for i in logins:
            safe(path, line, header[i], cells[i])
        given = cells[1::-1] if at == 2 else cells[0].split(",", 1)[::-1]
        exact = {cells[at].strip(), *(plain(cells[i]) for i in logins)}
        names = {plain(name) for name in both(*(given if len(given) == 2 else [given[0], ""]))}
        students.append(Row(line, cells, " ".join(given).strip(), exact - {""}, names - {""}, cells[at].strip()))
    unique(path, "ID", [(row.line, row.cells[at].strip()) for row in students])
    return students


def is_points(cells):
    return "Points Possible" in cells[0]


def both(first, last):
    """A name in either order."""
    return f"{first} {last}", f"{last} {first}"


def plain(name):
    """A name without case, blanks and signs, which systems and disks change; accents behind their letters."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in letters if c.isalnum() or unicodedata.category(c)[0] == "M")


def bare(name):
    """A plain name without accents. Vowels of Hindi or Thai and the marks of kana are no accents: they stay."""
    return re.sub("[\u0300-\u036f]", "", name)


def named(name, students, names):
    """Students who have this plain name; if there are none, those who have it where one of the two has no accents.

    names: what gives a student's. So Hung is Hùng or Hưng, but Hùng is never Hưng.
    """
    found = [row for row in students if name in names(row)]
    fits = {other for row in students for other in names(row) if bare(other) == bare(name) in (name, other)}
    return found or [row for row in students if fits & names(row)]


def safe(path, line, column, value):
    """Refuse an identifier that a spreadsheet would take for a formula: changed, it would find nobody."""
    if FORMULA.match(value) or visible(value) != value:
        raise ValueError(
            f"{path}, line {line}: {column} {value!r}: a spreadsheet would take it for a formula, or it can't be seen. "
            "Correct it in your system, and export anew"
        )


def unique(path, column, found):
    seen = {}
    for line, value in found:
        if value and value.casefold() in seen:
            first = seen[value.casefold()]
            raise ValueError(f"{path}, lines {first} and {line}: {column} {value!r} twice; delete one of the rows")
        seen[value.casefold()] = line


def listed(names):
    return ", ".join(name or "(without a name)" for name in names[:12]) + ", …" * (len(names) > 12)


def row_of(folder, roster):
    """The row of a student's folder; a ValueError says why there is none."""
    if found := MOODLE.fullmatch(folder):
        name, number = plain(found["name"]), found["number"]
        chosen = [row for row in roster.students if row.number == number and roster.kind == "moodle"]
        chosen = chosen or named(name, roster.students, lambda row: row.names)
    elif roster.kind == "canvas" and (found := CANVAS.fullmatch(folder)):
        name, number = plain(found["name"]), found["number"]
        chosen = [row for row in roster.students if row.number == number]
    else:
        name = plain(folder)
        chosen = named(name, roster.students, lambda row: row.exact | row.names)
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        lines = " and ".join(str(row.line) for row in chosen)
        more = "; an assignment's grading worksheet tells them apart by its Identifier" * (roster.kind == "moodle")
        raise ValueError(f"{visible(folder)}: lines {lines} of {roster.path} fit: name the folder by an ID{more}")
    known = {name: row for row in roster.students for name in row.names}
    near = [known[name] for name in difflib.get_close_matches(name, known, 1)]
    hint = f" (line {near[0].line}, {visible(near[0].shown)}, is the nearest)" if near else ""
    raise ValueError(
        f"{visible(folder)}: no such student in {roster.path}{hint}; add a row, or name the folder as the list does. "
        f"Of one who has left, delete grading/records/{visible(folder)}.json"
    )


def points(record, name):
    """A student's points in an exercise; None where it wasn't handed in, or nothing in it could be graded."""
    answers = record.get(name, {}).get("answers", {}).values()
    if all(state == "not graded" for _, state, _ in answers):
        return None
    return sum(got for got, _, _ in answers)


def joined(roster, records, exercises):
    """{line of the roster: {exercise: points}}, and sentences on exercises in several folders of one student."""
    found, wrong, notes = {row.line: {} for row in roster.students}, [], []
    for folder, record in records.items():
        got = {name: points(record, name) for name in exercises}
        got = {name: value for name, value in got.items() if value is not None}
        if not got:
            continue
        try:
            mine = found[row_of(folder, roster).line]
        except ValueError as error:
            wrong.append(str(error))
            continue
        for name in got.keys() & mine.keys():
            notes.append(f"{visible(folder)}: {name} is in another folder of this student too; the better one counts")
        mine |= {name: max(value, mine.get(name, value)) for name, value in got.items()}
    if wrong:
        raise ValueError("\n".join([f"No {FILES[roster.kind]}, as these marks have no row to go to:", *wrong]))
    return found, notes


def write(folder, roster, records, releases):
    """Write the system's file into `folder`, or raise a ValueError and write none; returns sentences on it."""
    worth = {name: sum(found.values()) for name, found in marks.handed_in(records, releases).items()}
    got, notes = joined(roster, records, worth)
    rows = (canvas_rows if roster.kind == "canvas" else moodle_rows)(roster, got, worth)
    target = folder / FILES[roster.kind]
    with notebooks.atomic_write(target) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=roster.separator if roster.kind == "canvas" else ",").writerows(rows)
    none = [f"{visible(row.shown)} (line {row.line})" for row in roster.students if not got[row.line]]
    told = f"{len(got)} students, exercises: {', '.join(map(marks.number_of, worth)) or 'none'}"
    return [f"{target.name}: {told}" + (f"; without a mark: {listed(none)}" if none else ""), *notes]


def moodle_rows(roster, got, worth):
    """Names, identifiers that everybody has, and the exercises."""
    place = {name.strip().casefold(): i for i, name in enumerate(roster.header)}
    empty = {i: [row.line for row in roster.students if not row.cells[i].strip()] for i in place.values()}
    identifiers = [i for name, i in place.items() if name in IDENTIFIERS and not empty[i]]
    if not identifiers:
        i = min((i for name, i in place.items() if name in IDENTIFIERS), key=lambda i: len(empty[i]))
        raise ValueError(
            f"{roster.path}, line {empty[i][0]}: no {roster.header[i]}; expected one column by which Moodle "
            "finds every student. Fill it in, or export with another one"
        )
    names = [i for name, i in place.items() if name in NAMES]
    yield [roster.header[i] for i in names + identifiers] + [*worth]
    for row in roster.students:
        mine = [f"{got[row.line][name]:g}" if name in got[row.line] else NOT_GRADED for name in worth]
        shown = [marks.for_spreadsheet(row.cells[i].strip()) for i in names]
        yield [*shown, *(row.cells[i].strip() for i in identifiers), *mine]


def canvas_rows(roster, got, worth):
    """The gradebook as it came; our marks in columns of our exercises' names, and in new ones behind all others."""
    header, columns = [*roster.header], {}
    titles = [re.sub(r"\s\(\d+\)$", "", name) for name in header]  # an assignment's ID
    for name in worth:
        if titles.count(name) > 1:
            raise ValueError(f"{roster.path}, line 1: {titles.count(name)} columns named {name}; delete one in Canvas")
        columns[name] = titles.index(name) if name in titles else len(header)
        header += [name] * (name not in titles)
    yield header
    lines = {row.line for row in roster.students}
    for line, cells in roster.lines:
        cells = cells + [""] * (len(header) - len(cells))
        for name, i in columns.items():
            if is_points(cells):
                cells[i] = same_points(roster, line, header[i], cells[i], worth[name]) or f"{worth[name]:g}"
            elif name in got.get(line, {}) and cells[i].strip().upper() != EXCUSED:
                cells[i] = f"{got[line][name]:g}"
        if line in lines:
            last = roster.header.index("ID")
            cells[:last] = map(marks.for_spreadsheet, cells[:last])
        yield cells


def same_points(roster, line, column, cell, worth):
    """An assignment's Points Possible, as they stand; a ValueError where they are not the exercise's."""
    if cell.strip() and (not re.fullmatch(r"\d+([.,]\d+)?", cell.strip()) or float(cell.replace(",", ".")) != worth):
        raise ValueError(
            f"{roster.path}, line {line}: Points Possible of {column} is {cell!r}, expected {worth:g}; change it in "
            "Canvas, export anew"
        )
    return cell
