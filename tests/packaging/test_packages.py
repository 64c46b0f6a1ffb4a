"""What is packaged is what `make install-…` installs, under one version."""

import re
import subprocess
from pathlib import Path

import pytest

import log_exporter
import logchain
import logchain_witness

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
PYTHON = re.compile(r"^(%\{python3_sitelib\}|%\{_mandir\}|%\{_bindir\}/(logchain|log-\w+|logchain-witness)$)")


def installed(directory: Path, target: str) -> set[str]:
    """Return what a target of the Makefile installs, and see that it installs nothing elsewhere."""
    subprocess.run(["make", "-s", "-C", ROOT, target, f"DESTDIR={directory}"], check=True, stdout=subprocess.DEVNULL)
    return {f"/{path.relative_to(directory)}" for path in directory.rglob("*") if path.is_symlink() or path.is_file()}


def spec_files(package: str) -> set[str]:
    """Return what the RPM spec says is in a package, without what pip installs."""
    text = (PACKAGING / "rpm" / "logchain.spec.in").read_text()
    (section,) = re.findall(
        rf"^%files{f' {package}' if package else ''}\n(.*?)^%(?:files|changelog)", text, re.M | re.S
    )
    lines = [
        line.split()[-1]
        for line in section.splitlines()
        if line and not re.match("#|%(license|doc|dir|ghost|exclude)", line)
    ]
    return {line.replace("%{_bindir}", "/usr/bin") for line in lines if not PYTHON.match(line)}


@pytest.mark.parametrize(
    ("target", "package"), [("logvm", ""), ("exporter", "exporter"), ("witness", "witness"), ("dom0", "dom0")]
)
def test_the_spec_lists_what_is_installed(tmp_path: Path, target: str, package: str) -> None:
    """Each file that is installed is in its RPM, each entry of the spec is there."""
    found, listed = installed(tmp_path, f"install-{target}"), spec_files(package)
    assert all(
        any(path == entry or (entry.endswith("/") and path.startswith(entry)) for entry in listed) for path in found
    )
    assert all(
        any(path == entry or (entry.endswith("/") and path.startswith(entry)) for path in found) for entry in listed
    )


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
    for script in re.findall(r"^%(?:post|preun|postun)\b[^\n]*\n(.*?)(?=^%)", text, re.M | re.S):
        subprocess.run(["sh", "-n"], input=script.encode(), check=True)
    for path in (PACKAGING / "build", PACKAGING / "debian" / "logchain.postrm"):
        subprocess.run(["bash", "-n", path], check=True)
