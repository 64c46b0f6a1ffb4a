"""A Debian 13 with the packages in it, booted with systemd as PID 1 by systemd-nspawn."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

__all__ = ["ROOTS", "Container", "make_root", "unusable"]

ROOTS = Path(os.environ.get("LOGCHAIN_ROOTS", "/var/cache/logchain-lab"))
STAND_IN = Path(__file__).with_name("stand_in.py")
_BOOT = 60.0  # s
_INCLUDE = "systemd,systemd-sysv,dbus,procps,python3,python3-click,python3-nacl,python3-lz4,libsystemd0,rpm"
_ALLOWED = "bpf landlock_create_ruleset landlock_add_rule landlock_restrict_self"  # as on a machine without nspawn
_STAND_IN_UNIT = """\
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/usr/bin/python3 /usr/local/lib/stand_in.py
"""


def unusable() -> str:
    """Return why no container can be had here; empty where one can."""
    if os.geteuid():
        return "needs root"
    missing = [name for name in ("mmdebstrap", "systemd-nspawn", "nsenter", "unshare") if not shutil.which(name)]
    return f"needs {', '.join(missing)}; on Debian: apt install mmdebstrap systemd-container" if missing else ""


def make_root(packages: list[Path]) -> Path:
    """Return a fresh root, with what stands in for Qubes; the packages lie in /root."""
    archive = ROOTS / f"lab-{sha256(_INCLUDE.encode()).hexdigest()[:8]}.tar"
    if not archive.exists():
        ROOTS.mkdir(parents=True, exist_ok=True)
        new = archive.with_suffix(".new")
        command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=apt", f"--include={_INCLUDE}", "--format=tar"]
        subprocess.run([*command, "trixie", new], check=True)
        new.rename(archive)
    root = Path(tempfile.mkdtemp(prefix="lab.", dir=ROOTS))
    subprocess.run(["tar", "-C", root, "-xf", archive], check=True)
    (root / "usr/local/lib/stand_in.py").write_text(STAND_IN.read_text())
    client = root / "usr/bin/qrexec-client-vm"
    client.write_text(f"#!/usr/bin/python3\n{STAND_IN.read_text()}")
    client.chmod(0o755)
    (root / "etc/systemd/system/stand-in.service").write_text(_STAND_IN_UNIT)
    wants = root / "etc/systemd/system/sysinit.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "stand-in.service").symlink_to("../stand-in.service")
    (root / "etc/tmpfiles.d/qubes.conf").write_text("d /run/qubes-service\n")
    (root / "etc/machine-id").write_text("")
    (root / "var/log/journal").mkdir(exist_ok=True)
    for package in packages:
        shutil.copy(package, root / "root")
    return root


class Container:
    """The machine; what it writes stays in `root` over a boot. With `rw`, as in an AppVM, only what is there does."""

    def __init__(self, root: Path, rw: Path | None = None) -> None:
        self.root = root
        self._appvm = f" --volatile=overlay --bind={rw}:/rw" if rw else ""
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._init = 0
        self._console = root.with_name(f"{root.name}.console")

    def boot(self) -> None:
        """Boot, and wait until systemd says that it has."""
        nspawn = (
            f"systemd-nspawn -q -D {self.root} -b -M lab{os.getpid()} --register=no --keep-unit --console=pipe "
            f"--private-network --system-call-filter='{_ALLOWED}' --capability=all{self._appvm}"
        )
        script = f"mount -t tmpfs tmpfs /run && exec {nspawn}"  # nspawn on a disk's /run fails at exit
        command = ["unshare", "-m", "--propagation", "private", "bash", "-c", script]
        with self._console.open("wb") as console:
            self._nspawn = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)
        end = time.monotonic() + _BOOT
        while not self._find_init():
            assert self._nspawn.poll() is None, "systemd-nspawn has ended"
            assert time.monotonic() < end, "the container has no init"
            time.sleep(0.1)
        while True:
            state = self.run("systemctl is-system-running --wait", check=False).strip()
            if state in ("running", "degraded"):
                return
            assert time.monotonic() < end, f"the container does not boot: {state}"
            time.sleep(0.1)

    def _find_init(self) -> bool:
        assert self._nspawn
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        self._init = int(children[0]) if children else 0
        try:
            return bool(self._init) and Path(f"/proc/{self._init}/comm").read_text() == "systemd\n"
        except OSError:  # it was another child, which has ended
            return False

    def run(self, script: str, *, check: bool = True, timeout: float = 120.0) -> str:
        """Run a script as root in it; return what it prints, on either output."""
        done = subprocess.run(
            ["nsenter", "-t", str(self._init), "-a", "--", "/bin/bash", "-c", f"cd /root; {script}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": "/usr/bin:/usr/sbin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/root"},
            timeout=timeout,
            check=False,
        )
        text = done.stdout.decode("utf-8", "backslashreplace")
        assert not check or done.returncode == 0, f"{script}\nexit {done.returncode}\n{text}"
        return text

    def property(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.run(f"systemctl show -P {name} {unit}").strip()

    def until(self, script: str, timeout: float = 60.0) -> str:
        """Wait until a script exits with 0; return what it prints."""
        end = time.monotonic() + timeout
        while True:
            try:
                return self.run(script)
            except AssertionError:
                if time.monotonic() >= end:
                    raise
            time.sleep(0.3)

    def shut_down(self) -> None:
        """Shut down in order, as a qube does."""
        if self._nspawn:
            self.run("systemctl poweroff", check=False)
            self._nspawn.wait(90)
            self._nspawn, self._init = None, 0

    def remove(self) -> None:
        """End it, and take it off the disk."""
        if self._nspawn:
            with suppress(ProcessLookupError):
                os.kill(self._init or self._nspawn.pid, signal.SIGKILL)  # with its first process all of it ends
            self._nspawn.kill()
            self._nspawn.wait()
        shutil.rmtree(self.root)
        self._console.unlink(missing_ok=True)
