"""What ``inkfleet fleet init`` makes: whole or not at all, for its owner alone, and of names that can be."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from deploy.brokers.mosquitto import configure_secure
from deploy.enrolment import FleetFolder
from shared.errors import SettingsError
from tests.deploy.enrolment.conftest import contents


@pytest.mark.parametrize("host", ["mqtt://a", "a:1883", "", "a b", "a..b", "*", "-a", "x" * 300])
def test_a_host_that_cannot_be_is_refused(tmp_path: Path, host: str) -> None:
    """Before anything is written."""
    with pytest.raises(SettingsError, match="broker host"):
        FleetFolder(tmp_path / "fleet").init(fleet="school", hosts=(host,))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_writes_no_options_into_the_brokers_configuration(fleet: FleetFolder, tmp_path: Path) -> None:
    """A path with the end of a line in it is refused, and nothing has changed."""
    before = contents(fleet.folder)
    with pytest.raises(SettingsError, match="cannot stand in"):
        fleet.renew_broker(broker_folder="/etc/x\nallow_anonymous true")
    with pytest.raises(SettingsError, match="cannot stand in"):
        fleet.renew_broker(plugin_folder="/etc/x\nallow_anonymous true")
    assert contents(fleet.folder) == before
    with pytest.raises(SettingsError, match="cannot stand in"):
        FleetFolder(tmp_path / "a\nb").init(fleet="school", hosts=("localhost",))


@pytest.mark.parametrize("there", [True, False])
def test_the_form_of_2_1_is_taken_where_its_plugins_are(fleet: FleetFolder, tmp_path: Path, there: bool) -> None:
    """They lie where the fleet was told, also after another renewal; elsewhere the form that every Mosquitto reads."""
    plugins = tmp_path / "plugins"
    fleet.renew_broker(plugin_folder=str(plugins))
    fleet.renew_broker()
    if there:
        plugins.mkdir()
        (plugins / "mosquitto_acl_file.so").touch()
    configure_secure(fleet.folder / "broker", folder=tmp_path)
    taken = (tmp_path / "mosquitto.conf").read_text().splitlines()
    assert (f"global_plugin {plugins}/mosquitto_acl_file.so" in taken) == there
    assert (f"acl_file {tmp_path}/acl" in taken) == (not there)
    assert (f"plugin_opt_acl_file {tmp_path}/acl" in taken) == there


def test_a_generous_umask_opens_nothing(tmp_path: Path) -> None:
    """A process whose umask is 0 makes files that are their owner's alone, at every moment of it."""
    watched = tmp_path / "home"
    watched.mkdir()
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from deploy.enrolment import FleetFolder\n"
        "os.umask(0)\n"
        "opened = []\n"
        "def hook(event, arguments):\n"
        "    if event in ('open', 'os.mkdir', 'os.chmod') and str(arguments[0]).startswith(sys.argv[1] + '/'):\n"
        "        if event != 'os.mkdir' or not os.path.exists(arguments[0]):\n"
        "            opened.append((event, *map(str, arguments)))\n"
        "sys.addaudithook(hook)\n"
        "fleet = FleetFolder(Path(sys.argv[1]) / 'fleet')\n"
        "fleet.init(fleet='school', hosts=('localhost',))\n"
        "fleet.enroll(['kitchen'])\n"
        "modes = [int(mode) for event, path, mode, *_ in opened if event in ('os.mkdir', 'os.chmod')]\n"
        "print(sorted({oct(mode) for mode in modes}))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(watched)], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    # 0644 are certificates of the authority; whatever else is made is made 0600 or 0700.
    assert set(json.loads(ran.stdout.replace("'", '"'))) <= {"0o600", "0o700", "0o644"}
    for path in (watched / "fleet").rglob("*"):
        public = path.name in ("lock", "ca.crt")
        assert not path.stat().st_mode & (0o022 if public else 0o077), path


def test_the_folders_above_a_fleet_are_nobody_elses_to_write(tmp_path: Path) -> None:
    """Those that are made on the way to it, whatever the umask: who may write there may put in another fleet."""
    before = os.umask(0)
    try:
        FleetFolder(tmp_path / "srv" / "fleets" / "fleet").init(fleet="school", hosts=("localhost",))
    finally:
        os.umask(before)
    for folder in (tmp_path / "srv", tmp_path / "srv" / "fleets"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_the_revocation_list_never_runs_out(fleet: FleetFolder) -> None:
    """Mosquitto turns everybody away once the next list is overdue."""
    listed = x509.load_pem_x509_crl((fleet.folder / "broker" / "crl.pem").read_bytes())
    authority = x509.load_pem_x509_certificate((fleet.folder / "authority" / "ca.crt").read_bytes())
    assert listed.next_update_utc == authority.not_valid_after_utc
