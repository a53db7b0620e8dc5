"""A page in front of a real reader, a real store and a real solver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from edge_client.corrections import Corrections
from edge_client.expression import Solver
from edge_client.learning import Learning
from edge_client.page.backend import Backend
from edge_client.page.device_page import device_page
from edge_client.reading import Recogniser
from edge_client.sample_store import SampleStore
from shared.web.server import PageServer
from tflite_models.bundle import builtin_bundle
from tflite_models.shipped_weights import default_weights


@pytest.fixture(scope="package")
def recogniser() -> Recogniser:
    """The reader as it is shipped."""
    return Recogniser(builtin_bundle("algebra"), weights=default_weights("algebra"))


@pytest.fixture(scope="package")
def solver() -> Iterator[Solver]:
    """A solver whose process all tests of this folder share."""
    with Solver() as shared:
        yield shared


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SampleStore]:
    """An empty store."""
    with SampleStore.open(tmp_path / "samples.sqlite") as opened:
        yield opened


@pytest.fixture
def backend(recogniser: Recogniser, solver: Solver, store: SampleStore) -> Iterator[Backend]:
    """A device in no fleet, without a camera."""
    corrections = Corrections(store, writer="anna")
    yield Backend(recogniser, solver, store, corrections, Learning(device="", fleet=None))
    corrections.close()


@pytest.fixture
def troubles() -> list[str]:
    """What the page has complained about."""
    return []


@pytest.fixture
def server(backend: Backend, troubles: list[str]) -> Iterator[PageServer]:
    """A page that only this machine can open."""
    with PageServer(device_page(backend), trouble=troubles.append) as started:
        yield started


@pytest.fixture
def client(server: PageServer) -> Iterator[httpx.Client]:
    """A program that speaks with the page."""
    with httpx.Client(base_url=server.url, timeout=60) as opened:
        yield opened


@pytest.fixture(scope="package")
def any_troubles() -> list[str]:
    """What the page of `any_server` has complained about; no test leaves anything in it."""
    return []


@pytest.fixture(scope="package")
def any_server(
    recogniser: Recogniser, solver: Solver, any_troubles: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PageServer]:
    """A page for tests that change nothing in its store."""
    with SampleStore.open(tmp_path_factory.mktemp("page") / "samples.sqlite") as store:
        corrections = Corrections(store, writer="anna")
        backend = Backend(recogniser, solver, store, corrections, Learning(device="", fleet=None))
        with PageServer(device_page(backend), trouble=any_troubles.append) as started:
            yield started
        corrections.close()


@pytest.fixture
def any_client(any_server: PageServer) -> Iterator[httpx.Client]:
    """A program that speaks with `any_server`."""
    with httpx.Client(base_url=any_server.url, timeout=60) as opened:
        yield opened
