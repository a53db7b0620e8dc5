"""The walls between the folders: who may import whom."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_rooms_lean_on_each_other_in_one_direction() -> None:
    """The contracts in pyproject.toml hold: aggregator and edge_client are strangers, TensorFlow stays in the build."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=400)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_command_line_opens_without_anything_heavy() -> None:
    """``inkfleet --help`` loads no numerics, no MQTT and no TensorFlow."""
    code = (
        "import sys\n"
        "from deploy.cli import entry\n"
        "entry.main(['--help'], standalone_mode=False)\n"
        "heavy = {'numpy', 'cv2', 'tensorflow', 'ai_edge_litert', 'paho', 'matplotlib', 'pydantic'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=400)
    assert "LOADED []" in shown.stdout
    assert "simulate" in shown.stdout


def test_whoever_has_no_identity_loads_no_cryptography() -> None:
    """A simulation, a device with its page and the live window go without it: it takes a tenth of a second to load."""
    code = (
        "import sys\n"
        "import deploy.simulate.runner, deploy.cli.live, edge_client.service, edge_client.page.device_page\n"
        "import aggregator.service, shared.web.server\n"
        "print('LOADED', sorted({'cryptography', 'shared.identity', 'shared.identity_file'} & set(sys.modules)))\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=400)
    assert "LOADED []" in shown.stdout
