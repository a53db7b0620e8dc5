"""``inkfleet doctor``: whether this machine can run a device, an aggregator and a simulation, and what to do if not."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import rich_click as click

from deploy.cli.doctor_reading import check_camera, check_display, check_port
from deploy.cli.finding import Finding
from shared.errors import InkfleetError, RunError

MEMORY_MIB = 160
"""What a training device takes, resident."""

DISK_MIB = 200
"""What a device's store, cache and outbox take before they are full."""


def check_python() -> Finding:
    """Python 3.11 to 3.13."""
    version = platform.python_version()
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding("Python", "ok" if good else "fault", version if good else f"{version}; install 3.11, 3.12 or 3.13")


def check_machine() -> Finding:
    """A 64-bit machine: the runtime has no wheel for others."""
    machine = platform.machine()
    if machine in ("x86_64", "aarch64"):
        return Finding("machine", "ok", f"{machine}, {os.cpu_count()} cores")
    return Finding("machine", "fault", f"{machine}: LiteRT is made for x86_64 and aarch64; install a 64-bit system")


def check_training() -> Finding:
    """The built-in model trains: one step of its program in LiteRT."""
    import numpy as np

    from shared.labels import LABEL_SETS
    from tflite_models.bundle import builtin_bundle
    from tflite_models.runtime.program import TrainingProgram
    from tflite_models.runtime.training import TrainHyper, train
    from tflite_models.runtime.weights import initial_weights

    bundle = builtin_bundle("arithmetic")
    program = TrainingProgram(bundle, threads=1)
    program.set_weights(initial_weights(bundle.manifest, seed=0))
    rng = np.random.default_rng(0)
    batch = bundle.manifest.batch
    images = rng.integers(0, 256, (20 * batch, 45, 45)).astype(np.uint8)
    labels = rng.integers(0, len(LABEL_SETS["arithmetic"]), len(images)).astype(np.int32)
    started = time.perf_counter()
    train(program, images, labels, hyper=TrainHyper(), epochs=1, batch_size=batch, rng=rng)
    speed = len(images) / (time.perf_counter() - started)
    runtime = importlib.metadata.version("ai-edge-litert")
    return Finding("training", "ok", f"LiteRT {runtime} trains {speed:,.0f} samples a second on one core")


def check_brokers() -> Finding:
    """A broker for a simulation."""
    from deploy.brokers import mosquitto

    found = [f"Mosquitto at {path}"] if (path := mosquitto.executable()) else []
    try:
        found.append(f"embedded ({importlib.metadata.version('iotcore')})")
    except importlib.metadata.PackageNotFoundError:
        if not found:
            return Finding(
                "brokers", "note", "none here; a device needs none, a simulation: pip install inkfleet[aggregator]"
            )
    return Finding("brokers", "ok", ", ".join(found))


def check_memory() -> Finding:
    """Memory for one device."""
    pages = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // (1 << 20)
    for line in Path("/proc/meminfo").read_text().splitlines() if Path("/proc/meminfo").exists() else ():
        if line.startswith("MemAvailable:"):
            pages = int(line.split()[1]) // 1024
    enough = pages >= MEMORY_MIB
    return Finding(
        "memory", "ok" if enough else "note", f"{pages:,} MiB available; a device that trains takes {MEMORY_MIB} MiB"
    )


def check_disk(folder: Path) -> Finding:
    """A folder that can be written, with room."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free // (1 << 20)
    except OSError as error:
        return Finding("disk", "fault", f"{folder} cannot be written: {error.strerror}; choose another --folder")
    if free < DISK_MIB:
        return Finding("disk", "note", f"{free:,} MiB free at {folder}; a device takes up to {DISK_MIB} MiB")
    return Finding("disk", "ok", f"{free:,} MiB free at {folder}")


def check_broker(url: str) -> Finding:
    """A broker that answers and takes us."""
    from shared.mqtt import BrokerAddress, MqttLink

    link = MqttLink(
        BrokerAddress.parse(url), client_id=f"doctor-{os.getpid()}", will=None, on_message=_nothing, on_connect=_nothing
    )
    link.start()
    try:
        link.wait_connected(5)
        limit = f"packets up to {link.max_packet_bytes:,} bytes" if link.max_packet_bytes else "packets of any size"
        return Finding("broker", "ok", f"{url} answers: MQTT {link.protocol}, {limit}")
    finally:
        link.stop()


def check_identity(path: Path) -> Finding:
    """An identity whose parts fit, that is valid, and that its broker's TLS takes.

    No MQTT is spoken: a client with the name of a device would take the place of the one that runs.
    """
    from datetime import UTC, datetime

    from shared.identity import Identity
    from shared.mqtt.tls import shake_hands

    who = Identity.load(path)
    said = who.notices(now=datetime.now(UTC))
    shake_hands(who.address, timeout_s=5)
    if said:
        return Finding("identity", "note", "; ".join(said))
    until = f"valid until {who.not_after:%Y-%m-%d}"
    return Finding("identity", "ok", f"{who.name} of fleet {who.fleet}, {until}; TLS with {who.address} works")


def _nothing(*_: object) -> None:
    """Take a message that nobody waits for."""


def examine(checks: Iterable[Callable[[], Finding]]) -> list[Finding]:
    """Run the checks; one that fails is a fault in its own words, and the others go on."""
    findings = []
    for check in checks:
        name = check.__name__.removeprefix("check_")
        try:
            findings.append(check())
        except (InkfleetError, ImportError, OSError) as error:
            findings.append(Finding(name, "fault", str(error)))
    return findings


@click.command("doctor")
@click.option("--broker", metavar="URL", help="Also check this broker, as mqtt://host:port.")
@click.option(
    "--identity",
    type=click.Path(path_type=Path),
    help="Also check this identity, and TLS with the broker that it names.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Where the files of a device would lie (default: here).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(broker: str | None, identity: Path | None, folder: Path, as_json: bool) -> None:
    """Check that this machine can run Inkfleet, and say what to do where it cannot.

    Example: inkfleet doctor --identity kitchen.pem
    """
    checks: list[Callable[[], Finding]] = [check_python, check_machine, check_training, check_brokers, check_memory]

    def disk() -> Finding:
        return check_disk(folder)

    def its_broker() -> Finding:
        return check_broker(broker or "")

    def its_identity() -> Finding:
        assert identity is not None
        return check_identity(identity)

    its_broker.__name__, its_identity.__name__ = "broker", "identity"
    more = [*([its_broker] if broker else []), *([its_identity] if identity is not None else [])]
    findings = examine([*checks, disk, check_camera, check_display, check_port, *more])
    faults = [finding for finding in findings if finding.verdict == "fault"]
    if as_json:
        click.echo(json.dumps({"ok": not faults, "findings": [asdict(finding) for finding in findings]}))
    else:
        marks = {"ok": "✓", "note": "•", "fault": "✗"}
        for finding in findings:
            click.echo(f"{marks[finding.verdict]} {finding.check:<10} {finding.says}")
    if faults:
        raise RunError(f"{len(faults)} of {len(findings)} checks failed: {', '.join(f.check for f in faults)}")
