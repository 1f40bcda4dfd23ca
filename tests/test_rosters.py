"""Marks as Moodle and Canvas import them: read back as their importers do, and what a class list may have wrong.

The importers below go by the systems' own: grade/import/csv/classes/load_data.php of Moodle, lib/gradebook_importer.rb
of Canvas. Moodle finds a user by the one column that the teacher maps, Canvas by ID; both take "-" for no mark.
"""

import csv
import re

import grading
import handins
import nbformat
import pytest
import rosters

NAMES = "00_start", "01_voc"


def release(*questions):
    cells = []
    for name in questions:
        kind = dict(grade_id=f"{name}-check", grade=True, solution=False, locked=True, points=1)
        cells.append(nbformat.v4.new_code_cell("assert x", metadata={"nbgrader": kind}))
    return nbformat.v4.new_notebook(cells=cells)


RELEASES = {"00_start": release("q1", "q2", "q3"), "01_voc": release("q1", "q2"), "02_never": release("q1")}


def record(**exercises):
    """What grading remembers of a student: start=2, two of its questions right; voc=None, a file that can't be read."""
    found = {"other files": {"notes": []}}
    for short, right in exercises.items():
        name = next(name for name in RELEASES if short in name)
        states = [
            ("right", 1) if right is not None and i < right else ("wrong", 0) for i in range(3 - NAMES.index(name))
        ]
        states = [("not graded", 0)] * len(states) if right is None else states
        found[name] = {"answers": {f"q{i}": [got, state, ""] for i, (state, got) in enumerate(states, 1)}, "notes": []}
    return found


def written(tmp_path, text, records, encoding="utf-8"):
    """The rows of the file that the system gets, and what is said."""
    (tmp_path / "class.csv").write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    roster = rosters.read(tmp_path / "class.csv")
    told = rosters.write(tmp_path, roster, records, RELEASES)
    with (tmp_path / rosters.FILES[roster.kind]).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter=roster.separator if roster.kind == "canvas" else ",")), told


# ---- Moodle ----

MOODLE = """First name,Last name,ID number,Institution,Department,Email address,Assignment: Week 1 (Real),Downloaded
Zoë,Müller,4711,,,zoe@uni.example,-,1764540000
"Anna, jr.",O'Neil,4712,,,anna.oneil@uni.example,-,1764540000
山田,太郎,4713,,,taro@uni.example,7,1764540000
Ben,"=HYPERLINK(""http://x"")",4714,,,ben@uni.example,-,1764540000
"""
FOLDERS = {
    "Zoe\u0308 Mu\u0308ller_2931_assignsubmission_file_": record(start=2),  # as a Mac unpacks it
    "Anna jr. O'Neil_2932_assignsubmission_file": record(start=3, voc=0),
    "太郎 山田_2933_assignsubmission_file_": record(voc=None),
}


def moodle_imports(rows, identifier):
    """{value of the column by which users are found: {new grade item: points}}, as the importer takes them."""
    header, users = rows[0], {}
    at = header.index(identifier)
    for row in rows[1:]:
        assert row[at], "the importer would go on with the user of the row before"
        grades = {name: value for name, value in zip(header, row, strict=True) if name in RELEASES and value != "-"}
        assert "" not in grades.values(), "would become 0"
        users[row[at]] = {name: float(value) for name, value in grades.items()}
    return users


def test_moodle_gets_each_mark_with_the_student_who_earned_it(tmp_path):
    rows, told = written(tmp_path, MOODLE, FOLDERS)
    assert rows[0] == ["First name", "Last name", "ID number", "Email address", *NAMES]
    assert moodle_imports(rows, "Email address") == {
        "zoe@uni.example": {"00_start": 2},
        "anna.oneil@uni.example": {"00_start": 3, "01_voc": 0},
        "taro@uni.example": {},
        "ben@uni.example": {},
    }
    assert rows[4][1] == '\'=HYPERLINK("http://x")' and rows[2][0] == "Anna, jr."
    assert told[0].startswith(
        "grades-moodle.csv: 4 students, exercises: 00, 01; without a mark: 山田 太郎 (line 4), Ben "
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["class.csv", "grades-moodle.csv"]


@pytest.mark.parametrize("separator, encoding", [(";", "utf-8-sig"), ("\t", "utf-16"), (",", "utf-8")])
def test_as_excel_saves_it(tmp_path, separator, encoding):
    rows = [row for row in csv.reader(MOODLE.splitlines())]
    lines = [separator.join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in rows]
    lines[2] += 3 * separator  # empty cells behind the last column
    found, _ = written(tmp_path, "\r\n".join(["", *lines, separator * 7]), FOLDERS, encoding)
    assert moodle_imports(found, "ID number")["4712"] == {"00_start": 3, "01_voc": 0}


def test_folders_by_login_number_and_participant(tmp_path):
    """A grading worksheet tells two of one name apart; other folders are named by any identifier."""
    worksheet = "Identifier,Full name,Email address,Username,Status,Grade\n"
    worksheet += "Participant 71,Li Wei,li.wei@x.example,lw1,,\nParticipant 72,Li Wei,wei2@x.example,lw2,,\n"
    records = {"Li Wei_72_assignsubmission_file_": record(start=1), "lw1": record(start=3), "wei2": record(voc=2)}
    rows, _ = written(tmp_path, worksheet, records)
    users = moodle_imports(rows, "Email address")
    assert users == {"li.wei@x.example": {"00_start": 3}, "wei2@x.example": {"00_start": 1, "01_voc": 2}}
    with pytest.raises(
        ValueError, match="li wei: lines 2 and 3 of .* fit: name the folder by an ID; an assignment's gra"
    ):
        written(tmp_path, worksheet, {"li wei": record(start=1)})


VIETNAM = (
    "First name,Last name,Email address\nHưng,Nguyễn,a@x\nHùng,Nguyễn,b@x\nकिरण,राव,c@x\nさとう,ガン,d@x\nLí,Li,e@x\n"
)


def test_names_that_differ_in_an_accent_alone_are_two_names(tmp_path):
    rows, _ = written(tmp_path, VIETNAM, {"Nguyễn Hùng": record(start=1), "Hưng Nguyễn": record(start=3)})
    assert moodle_imports(rows, "Email address") == {
        "a@x": {"00_start": 3},
        "b@x": {"00_start": 1},
        "c@x": {},
        "d@x": {},
        "e@x": {},
    }
    with pytest.raises(ValueError, match="Nguyen Hung: lines 2 and 3 of .* fit: name the folder by an ID"):
        written(tmp_path, VIETNAM, {"Nguyen Hung": record(start=1)})  # without accents it may be either
    assert moodle_imports(written(tmp_path, VIETNAM, {"li li": record(start=1)})[0], "Email address")["e@x"]
    one = VIETNAM.replace("Hùng,Nguyễn,b@x\n", "")
    assert moodle_imports(written(tmp_path, one, {"nguyen hung": record(start=1)})[0], "Email address")["a@x"]
    for other in "Nguyễn Hùng", "करण राव", "さとう カン":  # who has left, or is in no list
        with pytest.raises(ValueError, match="no such student"):
            written(tmp_path, one, {other: record(start=1)})


def test_an_exercise_in_two_folders_of_a_student_is_said(tmp_path):
    records = {f"Zoë Müller_{n}_assignsubmission_file_": record(start=n) for n in (1, 3, 2)}
    rows, told = written(tmp_path, MOODLE, records)
    assert moodle_imports(rows, "ID number")["4711"] == {"00_start": 3}
    assert sum("00_start is in another folder of this student too; the better one counts" in line for line in told) == 2


def test_an_identifier_that_somebody_lacks_is_no_column(tmp_path):
    rows, _ = written(tmp_path, MOODLE.replace("4713", ""), FOLDERS)
    assert rows[0] == ["First name", "Last name", "Email address", *NAMES]
    with pytest.raises(ValueError, match="class.csv, line 4: no ID number; expected one column by which Moodle"):
        written(tmp_path, MOODLE.replace("4713", "").replace("taro@uni.example", ""), {})


# ---- Canvas ----

CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Notes,01_voc (901),Week 9 (902),Current Score,Final Score
,,,,,,,Manual Posting,,
    Points Possible,,,,,,2.00,10.00,(read only),(read only)
"Müller, Zoë",1042,s-42,zoe,"Lab A, Mon","late; =often",,8.50,85.00,85.00
"O'Neil, Anna",1043,s-43,anna,Lab B,,1.00,N/A,50.00,50.00
"-x, Ben",10000000001044,,ben,Lab B,,2.00,,,
"Student, Test",1099,,3f2a,Lab A,,,,,
"""
SENT = {"müllerzoë_1042": record(start=2, voc=2), "oneilanna_1043": record(start=0), "Zoë Müller": record(start=1)}


def canvas_imports(before, after):
    """{student's ID: {assignment: new points}}, where the new file has others, and {assignment: points possible}."""
    header, changed = after[0], {}
    assert header[0] == "Student" and header[1] == "ID" and header[4] == "Section"
    possible = next(row for row in after if "Points Possible" in row[0])
    old = {row[1]: dict(zip(before[0], row, strict=True)) for row in before if row[1].isdigit()}
    students = [row for row in after if row[1].isdigit()]
    assert [row[1] for row in students] == [*old]
    for row in students:
        for title, value in zip(header, row, strict=True):
            if value != old[row[1]].get(title, "") and title != "Student":
                changed.setdefault(row[1], {})[re.sub(r" \(\d+\)$", "", title)] = float(value)
    return changed, {name: float(possible[header.index(name)]) for name in header if name in RELEASES}


def test_canvas_gets_its_own_file_back_with_the_marks_in_it(tmp_path):
    before = list(csv.reader(CANVAS.splitlines()))
    after, _ = written(tmp_path, CANVAS, SENT)
    changed, possible = canvas_imports(before, after)
    assert changed == {"1042": {"00_start": 2, "01_voc": 2}, "1043": {"00_start": 0}}
    assert possible == {"00_start": 3} and after[0] == [*before[0], "00_start"]
    for old, new in zip(before, after, strict=True):
        same = [i for i in range(1, len(old)) if i != 6 or old[1] != "1042"]
        assert [new[i] for i in same] == [old[i] for i in same]
    assert [row[0] for row in after] == [row[0] for row in before[:5]] + ["'-x, Ben", "Student, Test"]
    assert after[-1][-1] == "" and after[1][-1] == ""


def test_who_is_excused_stays_so(tmp_path):
    text = CANVAS.replace('"Lab A, Mon","late; =often",,', '"Lab A, Mon","late; =often",EX,')
    after, _ = written(tmp_path, text, SENT)
    assert after[3][6] == "EX" and after[3][-1] == "2"


def test_canvas_in_a_country_with_commas_and_names_in_two_columns(tmp_path):
    text = "LastName;FirstName;ID;SIS Login ID;Section;01_voc (901)\n    Points Possible;;;;;2,00\n"
    text += "Müller;Zoë;1042;zoe;A;\n"
    rows, _ = written(tmp_path, text, {"x_1042": record(voc=1)}, "utf-8-sig")
    assert rows[1:] == [["    Points Possible", "", "", "", "", "2,00"], ["Müller", "Zoë", "1042", "zoe", "A", "1"]]


# ---- What may be wrong ----


@pytest.mark.parametrize(
    "text, message",
    [
        (b"PK\x03\x04", "class.csv: an Excel or zip file; expected CSV: in Excel, Save As, CSV UTF-8"),
        ("Vorname,E-Mail\nZo\u00eb,z@x\n".encode("cp1252"), "line 2: byte 0xeb is not UTF-8; save it as CSV UTF-8"),
        ("", "no students in it"),
        ("Email address\n", "no students in it"),
        (
            "Vorname,Matrikel\nA,1\n",
            "line 1: its columns are Vorname, Matrikel; expected one named Email address, ID n",
        ),
        ("Email address,Email\na,b\n", "line 1: two columns for the same, Email address and Email; delete one"),
        (MOODLE.replace("4712", "4711"), r"lines 2 and 3: ID number '4711' twice; delete one of the rows"),
        (MOODLE.replace("ben@", "ZOE@"), r"lines 2 and 5: Email address 'ZOE@uni.example' twice"),
        (
            MOODLE.replace("ben@uni", "=1+cmd@uni"),
            r"line 5: Email address '=1\+cmd@uni.example': a spreadsheet would ta",
        ),
        (MOODLE.replace('"Anna, jr."', "Anna, jr."), "line 3: 9 cells, but 8 columns: is a comma in a name"),
        (MOODLE + '"unclosed', "line 6: no CSV"),
        (CANVAS.replace("1043", "1042"), "lines 4 and 5: ID '1042' twice"),
        (CANVAS.replace("10000000001044", "1E+13"), r"line 6: ID '1E\+13', expected a whole number; a spreadsheet may"),
        (
            CANVAS.replace("Points Possible", ""),
            'no row that begins with "Points Possible"; expected Canvas\'s own export',
        ),
        (CANVAS.replace(",Section", ",Group"), "line 1: no column named Section"),
        (CANVAS.replace("s-43", "@s"), "line 5: SIS User ID '@s': a spreadsheet would"),
        (
            CANVAS.replace("2.00,10.00", "100,10.00"),
            r"line 3: Points Possible of 01_voc \(901\) is '100', expected 2; ch",
        ),
        (CANVAS.replace("Week 9 (902)", "01_voc (903)"), "line 1: 2 columns named 01_voc; delete one in Canvas"),
    ],
)
def test_a_class_list_that_is_wrong_is_one_error_and_no_file(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        written(tmp_path, text, {"zoe": record(voc=1)})
    assert [path.name for path in tmp_path.iterdir()] == ["class.csv"]


def test_marks_without_a_row_are_named_all_at_once(tmp_path):
    records = FOLDERS | {"Zoë Miller_9_assignsubmission_file_": record(start=1), "guest\x1b": record(voc=1)}
    records["empty"] = record()  # has no mark to lose
    with pytest.raises(ValueError) as told:
        written(tmp_path, MOODLE, records)
    lines = str(told.value).splitlines()
    assert lines[0] == "No grades-moodle.csv, as these marks have no row to go to:" and len(lines) == 3
    assert "(line 2, Zoë Müller, is the nearest); add a row, or name the folder as the list does" in lines[1]
    assert lines[2].startswith(r"guest\x1b: no such student in ")
    with pytest.raises(ValueError, match="oneilanna_9: no such student"):
        written(tmp_path, CANVAS, {"oneilanna_9": record(voc=1)})  # of Canvas's own names the ID alone counts
    assert [path.name for path in tmp_path.iterdir()] == ["class.csv"]


def test_what_canvas_downloads_becomes_folders(tmp_path):
    sent, target = tmp_path / "sent", tmp_path / "sorted"
    sent.mkdir()
    for name, text in {
        "doejane_1042_501_00_start.ipynb": "first",
        "doejane_LATE_1042_777_00_start-1.ipynb": "second",
        "doejane_1042_502_01_voc.ipynb": "voc",
        "doejane_1042_503_notes.pdf": "",
        "muñoz_LATE_1043_504_01_voc.ipynb": "late",
        "00_start.ipynb": "whose?",
        "roe_1_2_big.ipynb": "x" * (handins.SIZE + 1),
    }.items():
        (sent / name).write_text(text)
    (sent / "roe_1_3_01_voc.ipynb").symlink_to("/etc/passwd")
    refused = handins.from_canvas(sent, target, NAMES)
    found = {str(path.relative_to(target)): path.read_text() for path in target.rglob("*.ipynb")}
    assert found == {
        "doejane_1042/00_start.ipynb": "second",
        "doejane_1042/01_voc.ipynb": "voc",
        "muñoz_1043/01_voc.ipynb": "late",
    }
    assert [*refused] == ["roe_1"] and "roe_1_2_big.ipynb is larger than 10 MB" in refused["roe_1"]  # the student's row
    assert "; roe_1_3_01_voc.ipynb cannot be read" in refused["roe_1"]
    assert handins.nobodys(sent) == ["00_start.ipynb"]


def test_a_file_that_is_refused_is_said_of_its_student_and_makes_no_row_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "GRADING", tmp_path)
    grading.save(
        record(start=2) | {"other files": {"notes": ["a.ipynb: no exercise's name"]}}, tmp_path / "records/roe_1.json"
    )
    grading.write_marks({"roe_1": "roe_1_2_big.ipynb is larger than 10 MB"}, RELEASES)
    with (tmp_path / "grades.csv").open(encoding="utf-8", newline="") as file:
        assert {row["student"]: row["points"] for row in csv.DictReader(file) if row["question"] == "q1"} == {
            "roe_1": "1"
        }
    report = (tmp_path / "report.txt").read_text(encoding="utf-8")
    assert "a.ipynb: no exercise's name\n" in report and "roe_1_2_big.ipynb is larger than 10 MB\n" in report


def test_files_of_before_go_and_an_error_leaves_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(grading, "GRADING", tmp_path / "grading")
    (tmp_path / "grading/records").mkdir(parents=True)
    grading.save(record(start=2), tmp_path / "grading/records/zoe.json")
    (tmp_path / "class.csv").write_text(MOODLE, encoding="utf-8")
    roster = rosters.read(tmp_path / "class.csv")
    grading.write_for_school(roster, RELEASES)
    assert (tmp_path / "grading/grades-moodle.csv").is_file() and "4 students, exercises: 00" in capsys.readouterr().out
    grading.save(record(start=2), tmp_path / "grading/records/guest.json")
    with pytest.raises(SystemExit, match="guest: no such student"):
        grading.write_for_school(roster, RELEASES)
    assert not list((tmp_path / "grading").glob("grades-*"))
