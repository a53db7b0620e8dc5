"""The files of a broker whose clients are enrolled, as Mosquitto wants them."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.brokers.mosquitto import executable as mosquitto_executable
from deploy.brokers.secure_files import configuration, password_hash


@pytest.mark.skipif(mosquitto_executable() is None, reason="Mosquitto is not installed (apt install mosquitto)")
def test_a_password_is_hashed_as_mosquitto_does_it(tmp_path: Path) -> None:
    """Digit by digit what mosquitto_passwd writes with the same salt."""
    program = shutil.which("mosquitto_passwd", path=os.environ["PATH"] + ":/usr/sbin")
    assert program is not None
    file = tmp_path / "passwords"
    subprocess.run([program, "-b", "-c", str(file), "attic", "sesame"], check=True, capture_output=True)
    written = file.read_text().strip()
    _, kind, iterations, salt, _ = written.split("$")
    assert kind == "7"
    assert written == "attic:" + password_hash("sesame", salt=base64.b64decode(salt), iterations=int(iterations))


def test_the_form_of_2_1_uses_no_option_that_it_deprecates() -> None:
    """Access list and passwords come in by the plugins, for every listener; all else is as in 2.0."""
    forms = {
        version: [
            line
            for line in configuration(fleet="f", folder="/etc/x", port=1, password_port=2, version=version).splitlines()
            if line and not line.startswith("#")
        ]
        for version in ("2.0", "2.1")
    }
    assert set(forms["2.0"]) - set(forms["2.1"]) == {"acl_file /etc/x/acl", "password_file /etc/x/passwords"}
    assert [line for line in forms["2.1"] if "plugin" in line] == [
        "global_plugin /usr/lib/mosquitto_acl_file.so",
        "plugin_opt_acl_file /etc/x/acl",
        "global_plugin /usr/lib/mosquitto_password_file.so",
        "plugin_opt_password_file /etc/x/passwords",
    ]
    assert not [line for line in forms["2.1"] if line.startswith(("acl_file", "password_file", "per_listener"))]
