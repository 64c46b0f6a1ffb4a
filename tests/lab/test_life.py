"""A LogVM's life from the first installation on: set up, collects, seals, is killed, rebooted, upgraded, removed."""

import json
import re

import pytest

from tests.lab.conftest import packages
from tests.lab.container import Container

STORE = "/var/lib/logchain"
UNITS = ("log-collector.socket", "log-collector.service", "log-compressor.service")
SEND = "QUBE={vm} timeout 60 qrexec-client-vm @default logchain.Append+{stream}"
JOURNAL = '[streams.journal]\nsource = "journald"\n'


def lines(machine: Container, vm: str, stream: str) -> list[str]:
    """Return what is stored of a stream."""
    return machine.run(f"logchain show --vm {vm} --stream {stream} -o raw").splitlines()


def verified(machine: Container, *, restored: int = 0) -> str:
    """Verify with both, the fingerprint and the audit secret; return what verify says. `restored`: backups known of."""
    known = f"--restored {restored}" if restored else ""
    return machine.run(f"logchain verify --fingerprint $(cat fingerprint) --audit-secret audit-secret {known}")


def test_nothing_runs_where_it_was_not_asked_for(machine: Container) -> None:
    """Installed in a template, the packages make users and the place of the store, and start nothing."""
    machine.run("dpkg -i *.deb")
    assert machine.run(f"stat -c '%A %U %G' {STORE}") == "drwxr-s--- logchain logchain-in\n"
    assert machine.run("systemctl --failed --plain --no-legend | grep -c log-; true").strip() == "0"
    for unit in (*UNITS, "log-exporter.service"):
        assert machine.property(unit, "ActiveState") == "inactive", unit
    for unit in ("log-collector.socket", "log-compressor.service", "log-exporter.service"):
        assert machine.property(unit, "UnitFileState") == "enabled", unit


def test_a_qube_becomes_the_logvm(machine: Container) -> None:
    """qvm-service, a seed from the vault, init, start: what docs/guides/install.md says, and root owns nothing."""
    machine.run("echo 'f /run/qubes-service/logchain' > /etc/tmpfiles.d/logvm.conf; touch /run/qubes-service/logchain")
    machine.run("logchain keygen --audit-secret-out audit-secret --seed-out seed")
    shown = machine.run("logchain init --seed seed && shred -u seed")
    found = re.search(r"^  ([0-9a-f ]{71})$", shown, re.MULTILINE)
    assert found, shown
    (machine.root / "root/fingerprint").write_text(found[1].replace(" ", ""))
    refused = machine.run("logchain init --audit-secret-out again", check=False)
    assert "is not empty" in refused
    assert machine.run("test -e again || echo gone") == "gone\n", "the secret of a store that is not there helps nobody"
    machine.run("systemctl start log-collector.socket log-compressor.service")
    assert machine.run(f"find {STORE} -user root") == ""
    assert machine.run("stat -c '%A %U' /run/logchain/append.sock") == "srw------- logchain-in\n"


def test_lines_are_collected(machine: Container) -> None:
    """A call through the socket stores its lines; acceptor and instances are the collectors' user, and confined."""
    answers = machine.run("printf 'one\\ntwo\\n' | " + SEND.format(vm="work", stream="trial"))
    assert re.fullmatch(r"logchain/1 session=[0-9a-f]{16} resume=\n(ok [12]\n)*ok 2\n", answers)
    assert lines(machine, "work", "trial") == ["one", "two"]
    pids = machine.run("systemctl show -P MainPID log-collector; pgrep -u logchain-in").split()
    assert len(pids) >= 3
    assert machine.run("ps -o user= -C log-collector | sort -u") == "logchain-in\n"
    assert "lacks" not in machine.run("journalctl -u log-collector"), "the units let instances confine themselves"


def test_the_stock_service_is_answered(machine: Container) -> None:
    """qubes.Log, switched on as the guide says, is answered in its own dialect, and durable."""
    machine.run(
        "mkdir -p /usr/local/etc/qubes-rpc && ln -s /run/logchain/append.sock /usr/local/etc/qubes-rpc/qubes.Log"
        " && cp /usr/share/logchain/rpc-config/qubes.Log /etc/qubes/rpc-config/"
    )
    assert machine.run("printf 'stock\\n' | QUBE=old qrexec-client-vm @default qubes.Log") == "OK\nOK\n"
    assert lines(machine, "old", "qubes.Log") == ["stock"]


def test_what_the_units_take_away(machine: Container) -> None:
    """Seen from inside: no network, no keys, nothing sealed or signed to write, no home; the score is what we say."""
    for unit, lost in (("log-collector", ("keys", "sealed", "ledger")), ("log-compressor", ())):
        pid = machine.property(unit, "MainPID")
        inside = f"nsenter -t {pid} -m -n --"
        assert machine.run(f"readlink /proc/{pid}/ns/net") != machine.run("readlink /proc/1/ns/net"), "no network"
        assert "Permission denied" in machine.run(f"{inside} setpriv --reuid logchain-in ls /home", check=False)
        assert "Read-only" in machine.run(f"{inside} touch /usr/x /etc/x", check=False)
        for name in lost:
            assert re.search("Read-only|denied", machine.run(f"{inside} touch {STORE}/{name}/x", check=False)), name
        score = machine.run(f"systemd-analyze security --no-pager {unit} | tail -1")
        value = re.search(r"exposure level for \S+: ([0-9.]+)", score)
        assert value, score
        assert float(value[1]) <= 1.5


def test_the_journal_arrives(machine: Container) -> None:
    """The exporter, switched on, sends a real journald's entries: those before it, and those that come."""
    machine.run("logger -t before 'marker 1'; echo 'f /run/qubes-service/log-exporter' > /etc/tmpfiles.d/sender.conf")
    machine.run("touch /run/qubes-service/log-exporter")
    (machine.root / "etc/log-exporter.toml").write_text(JOURNAL)
    machine.run("systemctl start log-exporter; logger -t later 'marker 2'")
    for number in (1, 2):
        machine.until(f"logchain show --vm work --stream journal -g 'marker {number}' | grep -q marker")
    assert machine.property("log-exporter", "User") == "log-exporter"


def test_sealing_beside_collecting(machine: Container) -> None:
    """The compressor seals what collectors closed; they go on writing streams that it has touched."""
    machine.run("logchain seal --vm work; logchain seal --vm old")
    assert machine.run(f"ls {STORE}/sealed/work/trial").split() == ["00000001.log", "00000001.manifest"]
    machine.run("printf 'three\\n' | " + SEND.format(vm="work", stream="trial"))
    assert lines(machine, "work", "trial") == ["one", "two", "three"]
    assert "INTACT" in verified(machine)
    assert machine.run(f"find {STORE} -user root") == ""
    assert json.loads(machine.run("logchain status --json || true"))["compressor"]


@pytest.mark.parametrize("unit", ["log-collector", "log-compressor", "log-exporter"])
def test_each_part_is_killed(machine: Container, unit: str) -> None:
    """Killed in the middle of sending, each part comes back by itself; no line is lost, and none is there twice."""
    machine.run(
        f'(for i in $(seq 400); do logger -t {unit} "{unit} line $i."; done) & sleep 0.3;'
        f" kill -9 $(systemctl show -P MainPID {unit}); wait"
    )
    machine.until(f"test \"$(logchain show --vm work --stream journal -g '{unit} line 400[.]' | wc -l)\" = 1", 120)
    found = machine.run(f"logchain show --vm work --stream journal -o raw -g '{unit} line [0-9]+[.]'")
    assert re.findall(r"line (\d+)\.", found) == [str(number) for number in range(1, 401)]
    machine.until(f"systemctl is-active {unit}")
    assert "INTACT" in verified(machine)


def test_the_door_is_never_closed_for_good(machine: Container) -> None:
    """A collector that cannot start, however often it is called, serves again as soon as it can, by itself."""
    machine.run(f"systemctl stop log-collector; chmod 0700 {STORE}")
    call = "printf 'four\\n' | " + SEND.format(vm="work", stream="door").replace("60", "2")  # nobody takes the call
    for _ in range(12):
        machine.run(call, check=False)
    assert int(machine.run("journalctl -u log-collector | grep -c 'status=3'")) >= 5, "more often than systemd allows"
    machine.run(f"chmod 2750 {STORE}")
    machine.until(f"{call} | grep -q 'ok 1'", 120)
    assert machine.property("log-collector.socket", "ActiveState") == "active"


def test_the_watchdog_bites(machine: Container) -> None:
    """A compressor that hangs is ended and started again."""
    machine.run(
        "mkdir -p /run/systemd/system/log-compressor.service.d; cd /run/systemd/system/log-compressor.service.d;"
        " printf '[Service]\\nWatchdogSec=3\\n' > quick.conf; systemctl daemon-reload; systemctl restart log-compressor"
    )
    before = machine.property("log-compressor", "MainPID")
    machine.run("sleep 7")
    assert machine.property("log-compressor", "MainPID") == before, "it gives signs of life"
    machine.run(f"kill -STOP {before}")
    machine.until(
        f'test "$(systemctl show -P MainPID log-compressor)" -gt 0'
        f' && test "$(systemctl show -P MainPID log-compressor)" != {before}'
    )
    machine.run("rm /run/systemd/system/log-compressor.service.d/quick.conf; systemctl daemon-reload")


def test_a_reboot_in_the_middle(machine: Container) -> None:
    """The LogVM goes down while it is sent to, and comes back as it was."""
    machine.run('for i in $(seq 300); do logger -t boot "boot line $i."; done')
    machine.shut_down()
    machine.boot()
    for unit in ("log-collector.socket", "log-compressor.service", "log-exporter.service"):
        assert machine.property(unit, "ActiveState") == "active", unit
    machine.run("logger -t boot 'boot line 301.'")
    machine.until("logchain show --vm work --stream journal -g 'boot line 301[.]' | grep -q 301", 120)
    found = machine.run("logchain show --vm work --stream journal -o raw -g 'boot line [0-9]+[.]'")
    assert re.findall(r"line (\d+)\.", found) == [str(number) for number in range(1, 302)]
    assert "INTACT" in verified(machine)


PSS = """
pss() { t=0; for p in $(pgrep -x $1); do v=$(awk '/^Pss:/ { print $2 }' /proc/$p/smaps_rollup); t=$((t + ${v:-0})); done
    echo $t; }
most=0; for i in $(seq 40); do
    n=$(pss log-collector); test $n -gt $most && most=$n; sleep 0.5
    test $(cat /run/out* | grep -c logchain/1) = 40 && touch /root/connected; done 2>/dev/null
echo $most > /root/pss
"""


@pytest.mark.parametrize(("sent", "most"), [("", 150), ("cat /root/much;", 280)])
def test_forty_qubes_fit(machine: Container, sent: str, most: int) -> None:
    """Forty connected qubes, quiet or sending all they can, leave room in a LogVM of 400 MB that may have 800."""
    machine.run("rm -f connected /run/out*; yes 'a line of a log, with some words in it' | head -c 8M > much")
    machine.run(
        f"for i in $(seq 40); do (({sent} sleep 15; {sent} sleep 10) | QUBE=q$i qrexec-client-vm logchain.Append+idle"
        f" > /run/out$i) & done; {PSS} wait",
        timeout=300,
    )
    machine.run("test -e connected")
    pss = int(machine.run("cat pss"))  # KiB
    print(f"{pss} KiB for the collector with 40 connections")  # noqa: T201 (what `make lab` tells with -s)
    assert 0 < pss < most * 1024


def test_a_backup_comes_back(machine: Container) -> None:
    """An older copy is put back and told of, as the guide says: who sends goes on, verify is content, and notes it."""
    stop = "systemctl stop log-collector.socket log-collector log-compressor"
    start = "systemctl start log-collector.socket log-compressor"
    machine.run(f"logchain seal --vm work; {stop}; cp -a {STORE} /root/backup; {start}")
    machine.run("printf 'after the backup\\n' | " + SEND.format(vm="work", stream="trial"))
    machine.run(f"{stop}; rm -r {STORE}/*; cp -a /root/backup/. {STORE}; logchain restored --yes; {start}")
    assert machine.run(f"find {STORE} -user root") == ""
    machine.run("printf 'after the restore\\n' | " + SEND.format(vm="work", stream="trial"))
    machine.run("logger -t restored 'the journal goes on'")
    machine.until("logchain show --vm work --stream journal -g 'journal goes on' | grep -q goes", 120)
    found = lines(machine, "work", "trial")
    assert found == ["one", "two", "three", "after the restore"]
    said = verified(machine, restored=1)
    assert "INTACT" in said
    assert "backup" in said


def test_an_upgrade_over_a_store(machine: Container) -> None:
    """Installing over it restarts what runs, loses no line of who sends meanwhile, and changes nothing stored."""
    before = machine.run(f"cat {STORE}/format; logchain list --vm work --json | head -1")
    machine.run("dpkg -i *.deb")
    machine.run("logger -t upgrade 'upgraded'")
    machine.until("logchain show --vm work --stream journal -g upgraded | grep -q upgraded", 120)
    assert machine.run(f"cat {STORE}/format")[:40] == before[:40]
    assert "INTACT" in verified(machine, restored=1)


def test_removal_leaves_the_evidence(machine: Container) -> None:
    """Purged, the packages leave logs and keys as they are, and say where; installed again, all goes on."""
    machine.run("systemctl stop log-exporter log-collector.socket log-collector log-compressor")
    machine.run("setpriv --reuid logchain-witness --clear-groups --regid logchain-witness logchain-witness keygen")
    kept = f"find {STORE} {STORE}-witness -type f -exec sha256sum {{}} + | sort"
    before = machine.run(kept)
    said = machine.run("dpkg --purge logchain logchain-exporter logchain-witness")
    assert "the store stays in /var/lib/logchain" in said
    assert "stays in /var/lib/logchain-witness" in said
    assert machine.run(kept) == before
    machine.run("dpkg -i *.deb")
    machine.run("printf 'back\\n' | " + SEND.format(vm="work", stream="trial"))
    assert lines(machine, "work", "trial")[-1] == "back"
    assert "INTACT" in verified(machine, restored=1)


def test_all_packages_were_tried() -> None:
    """What was installed is all that was built for Debian."""
    built = {package.name.split("_")[0] for package in packages()}
    assert built == {"logchain", "logchain-exporter", "logchain-witness"}
