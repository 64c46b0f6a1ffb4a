"""The whole of logchain in a minute, without Qubes: this machine's own logs, sent as if by three qubes.

Run it with `make demo`. Everything happens in a scratch directory; nothing of this machine is changed. The exporter
and the collector are the real ones; only the pipe between them stands in for qrexec.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from itertools import groupby
from pathlib import Path

LARGEST = 4_000_000  # bytes of a log file that is still sent
WIDTH = 120  # columns of the excerpt


def main() -> int:
    """Tell the story, step by step; 0 if all came out as it should."""
    scratch = Path(tempfile.mkdtemp(prefix="logchain-demo-"))
    os.chdir(scratch)
    os.environ["LOGCHAIN_STORE"] = str(scratch / "store")
    os.environ["TERM"] = "dumb"

    say(
        "1. In the vault qube: make the secrets.",
        "The audit secret can tell later whether a record was changed. It never goes to the LogVM.",
    )
    run("logchain keygen --audit-secret-out audit-secret --seed-out seed")
    say("2. In the LogVM: make a store from the seed, and destroy the seed.")
    fingerprint = kept_on_paper("logchain init --seed seed")
    Path("seed").unlink()

    say(
        "3. Three qubes send their logs: real logs of this machine, through log-exporter and log-collector.",
        "Each line gets the LogVM's time, is chained to the one before, and acknowledged when it is on the disk.",
    )
    for vm, files in zip(("work", "personal", "vault"), share(logs()), strict=True):
        ship(vm, files)
    ship_kernel("dom0")

    say("4. What is there now?")
    run("logchain list")
    say("5. An excerpt, all qubes merged by the time their lines arrived:")
    excerpt("logchain show --no-pager")
    say("6. Is all of it as it was received? The auditor's answer:")
    intact = run("logchain verify --audit-secret audit-secret")

    say("7. Now somebody with full power over the disk changes one byte of one record, in a copy of the store.")
    shutil.copytree("store", "tampered")
    place = tamper(sorted(Path("tampered/live").glob("*/*/*.log"), key=lambda path: path.stat().st_size)[-1])
    print(f"   changed: {place}")
    say("8. Does anybody notice?")
    output = subprocess.run(
        shlex.split("logchain verify --audit-secret audit-secret --store tampered"), stdout=subprocess.PIPE, text=True
    )
    print("$ logchain verify --audit-secret audit-secret --store tampered")
    print(output.stdout)
    found = output.returncode == 1 and place in output.stdout and output.stdout.count("BAD") == 1

    print("Found: exactly that record, and no other." if found else "")

    say(
        "9. The LogVM seals what nobody writes any more (log-compressor does so by itself, later).",
        "Each segment gets a signed manifest, and an entry in a ledger whose key changes with every entry.",
    )
    run("logchain seal")
    say("10. Now anybody with the fingerprint, which is no secret, can check it:")
    check = f"logchain verify --fingerprint '{fingerprint}'"
    intact = run(check) or intact
    say("11. And when root in the LogVM removes a qube as if it had never been?")
    shutil.copytree("store", "missing")
    print("$ rm -r missing/live/work missing/sealed/work")
    for part in ("live", "sealed"):
        shutil.rmtree(f"missing/{part}/work")
    missed = run(f"{check} --store missing") == 1

    if intact != 0 or not found or not missed:
        print("This is not how it should be: please report it.")
        return 1
    print(f"Found. All of this is in {scratch}; remove it when you are done.")
    return 0


def say(*lines: str) -> None:
    """Print a step of the story."""
    print("\n" + "\n   ".join(lines) + "\n")


def run(command: str) -> int:
    """Show a command and what it prints; return its exit code."""
    print(f"$ {command}", flush=True)
    return subprocess.run(shlex.split(command)).returncode


def kept_on_paper(command: str) -> str:
    """Show a command that makes a store, and what it prints; return the fingerprint in it."""
    print(f"$ {command}", flush=True)
    printed = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, text=True, check=True).stdout
    print(printed)
    return printed.splitlines()[1].strip()


def excerpt(command: str) -> None:
    """Show a command, and of each qube's lines in its output the first two and the last."""
    print(f"$ {command}")
    output = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, text=True, check=True).stdout
    for qube, run_of_lines in groupby(output.splitlines(), key=lambda line: line.split()[2]):
        lines = [line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in run_of_lines]
        if len(lines) > 4:
            lines[2:-1] = [f"    … {len(lines) - 3:,} more lines of {qube.rstrip(':')}"]
        print("\n".join(lines))


def logs() -> list[Path]:
    """Return the readable text logs of this machine, dpkg's and apt's among them where there are any."""
    found = []
    for path in sorted(Path("/var/log").rglob("*")):
        if path.is_symlink() or not path.is_file() or not os.access(path, os.R_OK):
            continue
        with path.open("rb") as file:
            head = file.read(4096)
        if head.count(b"\n") and b"\0" not in head and path.stat().st_size < LARGEST:
            found.append(path)
    return found


def share(files: list[Path]) -> list[list[Path]]:
    """Share out the logs to three qubes."""
    return [files[start::3] for start in range(3)]


def ship(vm: str, files: list[Path]) -> None:
    """Send files as a qube would: with the exporter, over a pipe instead of qrexec."""
    if not files:
        print(f"   {vm}: this machine has no more logs to send")
        return
    print(f"   {vm}: {', '.join(str(path) for path in files)}", flush=True)
    options = ["--once", "--plain", "--stream", "files", "--state-dir", f"state-{vm}"]
    transport = ["--transport", collector(vm, "files")]
    subprocess.run(["log-exporter", "files", *map(str, files), *options, *transport], check=True)


def ship_kernel(vm: str) -> None:
    """Send what the kernel said, if it may be asked."""
    try:
        kernel = subprocess.run(["dmesg"], capture_output=True).stdout
    except FileNotFoundError:
        kernel = b""
    if not kernel:
        print(f"   {vm}: this machine's kernel log may not be read")
        return
    print(f"   {vm}: the kernel's messages (dmesg)", flush=True)
    command = ["log-exporter", "stdin", "--plain", "--stream", "kernel", "--transport", collector(vm, "kernel")]
    subprocess.run(command, input=kernel, check=True)


def collector(vm: str, stream: str) -> str:
    """Return the command that stands in for `qrexec-client-vm @default logchain.Append+STREAM` of that qube."""
    return f"env QREXEC_REMOTE_DOMAIN={vm} log-collector --stdio {stream}"


def tamper(log: Path) -> str:
    """Change one byte in the middle of a log; return where, as `verify` would put it."""
    text = bytearray(log.read_bytes())
    lines = text.split(b"\n")
    record = len(lines) // 2
    start = sum(len(line) + 1 for line in lines[:record])
    place = start + 30  # the first byte of the payload, behind time and kind
    before = bytes(text[start : start + 60])
    text[place] ^= 0x01
    log.write_bytes(text)
    print(f"   {log}\n   before: {before!r}\n   after:  {bytes(text[start : start + 60])!r}")
    return f"segment {int(log.stem)}, record {record:,}, byte {start:,}"


if __name__ == "__main__":
    sys.exit(main())
