"""A machine that boots: systemd as PID 1 in a container over this machine's own file system, which stays as it is."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

PATIENCE = 90.0
TARGET = "lab.target"

# In a mount namespace of its own: nspawn wants a /run that is a tmpfs, and a root that is not the root.
_BOOT = (
    'mount -t tmpfs tmpfs /run && mkdir /run/root && mount --bind / /run/root && exec systemd-nspawn -D /run/root "$@"'
)
_PRIVATE = ["unshare", "-m", "--propagation", "private", "sh", "-c", _BOOT, "sh"]
_OPTIONS = ["-q", "--register=no", "--keep-unit", "--console=pipe", "--private-network"]
_OPTIONS += ["--volatile=overlay", "--system-call-filter=bpf", "--capability=all"]
_LAB = """\
[Unit]
Requires=basic.target
After=basic.target
AllowIsolate=yes
"""


@cache
def lacking() -> str:
    """Return what is not here to boot with; empty if all is."""
    if os.geteuid() != 0:
        return "only root can boot a container"
    if not shutil.which("systemd-nspawn"):
        return "systemd-nspawn is missing: apt install systemd-container"
    if subprocess.run(["/usr/bin/env", "-i", "/usr/bin/python3", "-c", "import tomllib"], check=False).returncode:
        return "the system's own python3 is missing, or older than 3.11"
    name = f"probe-{os.getpid()}"
    probe = subprocess.run(
        [*_PRIVATE, *_OPTIONS, "-M", name, "--", "/bin/true"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return f"no container can be made here: {probe.stderr.decode(errors='replace')[-200:]}" if probe.returncode else ""


class Machine:
    """A container, with files of ours in it, until `stop`."""

    def __init__(self, directory: Path, files: Mapping[str, Path]) -> None:
        target = directory / TARGET
        target.write_text(_LAB)
        binds = [
            f"--bind-ro={source}:{place}"
            for place, source in {f"/etc/systemd/system/{TARGET}": target, **files}.items()
        ]
        self.console = directory / "console"
        with self.console.open("wb") as console:
            self._nspawn = subprocess.Popen(
                [*_PRIVATE, *_OPTIONS, "-b", "-M", f"lab-{os.getpid()}", *binds, "--", f"--unit={TARGET}"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        self._pid = self._boot()

    def _boot(self) -> int:
        end = time.monotonic() + PATIENCE
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children")
        while True:
            assert self._nspawn.poll() is None, self.console.read_text(errors="replace")
            assert time.monotonic() < end, self.console.read_text(errors="replace")
            found = children.read_text().split()
            if found:
                self._pid = int(found[0])
                if self.run("systemctl", "is-active", TARGET, check=False) == "active":
                    return self._pid
            time.sleep(0.1)

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command in the machine; return what it says."""
        inside = ["nsenter", "-t", str(self._pid), "-a", "--", "/usr/bin/env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        done = subprocess.run([*inside, *command], capture_output=True, text=True, timeout=PATIENCE, check=False)
        if check and done.returncode:
            journal = self.run("journalctl", "-n", "30", "--no-pager", check=False)
            raise AssertionError(f"{command}: {done.stdout}{done.stderr}\n{journal}")
        return done.stdout.strip()

    def property(self, unit: str, name: str) -> str:
        """Return what systemd says of a unit."""
        return self.run("systemctl", "show", "-p", name, "--value", unit)

    def stop(self) -> None:
        """Pull the plug."""
        os.killpg(self._nspawn.pid, signal.SIGKILL)
        self._nspawn.wait()
