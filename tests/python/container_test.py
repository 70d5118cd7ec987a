"""The container recipes cannot be built here; what they name must be there, and be valid shell."""
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
FOLDER = ROOT / "launch" / "container"


def section(text, name):
    """The lines of an Apptainer definition's %name."""
    return re.search(rf"^%{name}\n(.*?)(?=^%|\Z)", text, re.M | re.S).group(1)


def commands(path):
    text = path.read_text()
    if path.name == "Dockerfile":
        return re.search(r"^RUN (.*?[^\\])$", text, re.M | re.S).group(1)
    return section(text, "post")


@pytest.mark.parametrize("name", ["langevin.def", "Dockerfile"])
def test_recipe(name):
    script = commands(FOLDER / name)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    scripts = re.findall(r"\b(?:tools|launch|tests)/[\w./]+", script)
    assert "tools/setup.sh" in scripts
    for path in scripts:
        assert (ROOT / path).exists(), path
    # The options that the recipe builds with are the build's own.
    lists = "".join((ROOT / file).read_text() for file in ("CMakeLists.txt", "cmake/Torch.cmake"))
    for option in re.findall(r"-D(LANGEVIN_\w+)=", script):
        assert f"option({option} " in lists, option


def test_both_build_the_same():
    def plain(name):
        lines = re.sub(r"\\\n|&&", "\n", commands(FOLDER / name)).splitlines()
        return [line.strip() for line in lines if line.strip() and line.strip() != "set -eu"]
    assert plain("langevin.def") == plain("Dockerfile")
