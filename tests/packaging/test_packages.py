"""What is packaged is what `make install-…` installs, under one version."""

import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

import log_exporter
import logchain
import logchain_witness

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
PYTHON = re.compile(
    r"^(%\{python3_sitelib\}|%\{_mandir\}|%\{_bindir\}/(logchain|log-\w+|logchain-witness)$|/usr/share/(bash|zsh|fish))"
)
TARGETS = [("logvm", ""), ("exporter", "exporter"), ("witness", "witness"), ("dom0", "dom0")]  # Makefile's, the RPM's


def installed(directory: Path, target: str) -> set[str]:
    """Return what a target of the Makefile installs, and see that it installs nothing elsewhere."""
    command = ["make", "-s", "-C", str(ROOT), target, f"DESTDIR={directory}", f"PYTHON={sys.executable}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {f"/{path.relative_to(directory)}" for path in directory.rglob("*") if path.is_symlink() or path.is_file()}


def section(package: str) -> list[str]:
    """Return the lines that tell what is in an RPM."""
    text = (PACKAGING / "rpm" / "logchain.spec.in").read_text()
    (found,) = re.findall(rf"^%files{f' {package}' if package else ''}\n(.*?)^%(?:files|changelog)", text, re.M | re.S)
    return [line for line in found.splitlines() if line and not line.startswith("#")]


def spec_files(package: str) -> set[str]:
    """Return what the RPM spec says is in a package, without what Python writes."""
    lines = [line.split()[-1] for line in section(package) if not re.match("%(license|doc|dir|ghost|exclude)", line)]
    return {line.replace("%{_bindir}", "/usr/bin") for line in lines if not PYTHON.match(line)}


@pytest.mark.parametrize(("target", "package"), TARGETS)
def test_the_spec_lists_what_is_installed(tmp_path: Path, target: str, package: str) -> None:
    """Each file that is installed is in its RPM, each entry of the spec is there."""
    found, listed = installed(tmp_path, f"install-{target}"), spec_files(package)
    assert all(
        any(path == entry or (entry.endswith("/") and path.startswith(entry)) for entry in listed) for path in found
    )
    assert all(
        any(path == entry or (entry.endswith("/") and path.startswith(entry)) for path in found) for entry in listed
    )


@pytest.mark.parametrize(
    ("target", "package"), [("man", ""), ("exporter-man", "exporter"), ("witness-man", "witness"), ("dom0-man", "dom0")]
)
def test_each_program_has_its_page(tmp_path: Path, target: str, package: str) -> None:
    """Each program that a package brings has a manual page there, that man reads without a complaint."""
    found = installed(tmp_path, f"install-{target}")
    lines = [line.replace("%{_mandir}", "/usr/share/man") for line in section(package)]
    assert all(any(fnmatch(path, line) for line in lines) for path in found), found
    programs = {line.split("/")[-1] for line in lines if line.startswith("%{_bindir}/")}
    assert {f"/usr/share/man/man1/{program}.1" for program in programs} <= found
    for program in programs:
        page = tmp_path / f"usr/share/man/man1/{program}.1"
        done = subprocess.run(
            ["groff", "-ww", "-man", "-Tutf8", "-K", "utf8", "-P-cbou", page], capture_output=True, check=True
        )
        assert done.stderr == b""
        assert b"SYNOPSIS" in done.stdout


def test_the_exporters_page_has_all_options(tmp_path: Path) -> None:
    """What `log-exporter files --help` lists is in the page."""
    installed(tmp_path, "install-exporter-man")
    page = (tmp_path / "usr/share/man/man1/log-exporter.1").read_text()
    command = [sys.executable, "-c", "from log_exporter.main import main; main()", "files", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"--[a-z-]+", told))
    assert len(options) > 5
    assert not {option for option in options if option.replace("-", "\\-") not in page}


def test_bash_completes(tmp_path: Path) -> None:
    """bash, with the file as it is installed, completes a command of logchain."""
    installed(tmp_path, "install-man")
    script = (
        f". {tmp_path}/usr/share/bash-completion/completions/logchain; COMP_WORDS=(logchain ver) COMP_CWORD=1;"
        ' _logchain_completion logchain ver; echo "${COMPREPLY[@]}"'
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["bash", "--norc", "-c", script]
    done = subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("verify\n", "")


def test_one_version() -> None:
    """The tree's version is that of both distributions and of the newest Debian changelog entry."""
    version = (ROOT / "version").read_text().strip()
    assert version == logchain.__version__ == log_exporter.__version__ == logchain_witness.__version__
    assert (PACKAGING / "debian" / "changelog").read_text().startswith(f"logchain ({version}-")


def test_what_the_builder_is_told_is_there() -> None:
    """.qubesbuilder names a spec and a Debian directory that exist."""
    paths = re.findall(r"^ +- (\S+)$", (ROOT / ".qubesbuilder").read_text(), re.MULTILINE)
    assert len(paths) == 3
    for path in paths:
        assert (ROOT / path).is_dir() or (ROOT / f"{path}.in").is_file(), path


def test_no_package_removes_evidence() -> None:
    """No script of a package deletes anything: logs and keys stay when it goes."""
    scripts = [(PACKAGING / "rpm" / "logchain.spec.in").read_text().partition("%post\n")[2]]
    scripts += [
        path.read_text() for path in (PACKAGING / "debian").iterdir() if re.search("(post|pre)(inst|rm)$", path.name)
    ]
    assert len(scripts) > 1
    assert not [script for script in scripts if re.search(r"\b(rm|shred|deluser|userdel)\b", script)]


def test_scripts_are_shell() -> None:
    """The scripts that a package runs are well-formed."""
    text = (PACKAGING / "rpm" / "logchain.spec.in").read_text()
    scripts = re.findall(r"^%(?:post|preun|postun)\b[^\n]*\n(.*?)(?=^%)", text, re.M | re.S)
    assert len(scripts) == len(re.findall(r"^%(?:post|pre(?!p)|trans)", text, re.M))
    for script in scripts:
        subprocess.run(["sh", "-n"], input=script.encode(), check=True)
    for path in (PACKAGING / "build", *(PACKAGING / "debian").glob("*.postrm")):
        subprocess.run(["bash", "-n", path], check=True)
