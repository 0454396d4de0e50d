"""Write the architecture table of the README from conf/model/ and the classes' docstrings.

python scripts/readme.py          writes it
python scripts/readme.py --check  exits with 1 if it is out of date
"""

import sys
from pathlib import Path

from zoo.catalogue import rows

README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- architectures -->", "<!-- end of architectures -->"


def table() -> str:
    """The table: a row for each preset, parameters counted on the digits."""
    lines = [
        "| `model=` | class | what it is | reads | parameters¹ | weights² |",
        "| --- | --- | --- | --- | ---: | --- |",
        *(
            f"| `{row.name}` | `{row.net}` | {row.summary} | {row.reads} | {row.parameters:,} | "
            f"{', '.join(row.weights)} |"
            for row in rows()
        ),
    ]
    return "\n".join(lines)


def updated(text: str) -> str:
    """The README with the table as it must be."""
    before, rest = text.split(START)
    _, after = rest.split(END)
    return f"{before}{START}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    current = README.read_text(encoding="utf-8")
    if sys.argv[1:] == ["--check"]:
        if updated(current) != current:
            sys.exit("README.md: the architecture table is out of date; run scripts/readme.py")
    else:
        README.write_text(updated(current), encoding="utf-8")
