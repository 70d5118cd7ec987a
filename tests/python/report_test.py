"""report.html of a data set, read by an HTML parser that refuses what browsers would guess at."""
import csv

import html5lib
import numpy as np
from conftest import run
from PIL import Image


def test_report_is_valid_html_and_names_no_file_outside(tmp_path):
    source = tmp_path / "in"
    rng = np.random.default_rng(0)
    for name in ("a", "b & <c>"):
        (source / name).mkdir(parents=True)
        for i in range(20):
            pixels = rng.integers(0, 256, (24, 32), dtype=np.uint8) if i else np.zeros((24, 32), np.uint8)
            Image.fromarray(pixels).save(source / name / f"{i}.png")
    (source / "a" / "broken \"<i>.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    run(["prepare", "--input", source, "--output", tmp_path / "data", "--validation_fraction", "0.3",
         "--set", "quality.reject_constant=true"])
    text = (tmp_path / "data" / "report.html").read_text()
    document = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    words = " ".join(document.itertext())
    assert "b & <c>" in words and "constant: all pixels are equal" in words
    assert "38 " in words or "38" in words
    for element in document.iter():
        for attribute in ("src", "href"):
            value = element.get(attribute) if hasattr(element, "get") else None
            assert value is None or value.startswith("data:"), value
    with open(tmp_path / "data" / "rejected.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["reason"] for row in rows if row["image"]) == ["constant: all pixels are equal"] * 2
    assert len(rows) == 3


def test_contact_sheet(dataset, tmp_path):
    run(["inspect", dataset, "--contact_sheet", tmp_path / "sheet.png"])
    sheet = Image.open(tmp_path / "sheet.png")
    assert sheet.size == (12 * 10 - 2, 3 * 10 - 2)  # 8 x 8 pixels, three classes.
    assert run(["inspect", tmp_path, "--contact_sheet", tmp_path / "no.png"], check=False).returncode == 3
