"""``inkfleet model``: build, inspect, verify and evaluate models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from shared.errors import ModelError, SettingsError
from shared.labels import LABEL_SETS, label_set

if TYPE_CHECKING:
    from tflite_models.bundle import ModelBundle

_FILE = click.Path(path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_LABELS = click.option(
    "--labels",
    type=click.Choice(sorted(LABEL_SETS)),
    default="arithmetic",
    show_default=True,
    help="The label set: which classes, in which order.",
)


@click.group(
    name="model",
    context_settings={"auto_envvar_prefix": "INKFLEET_MODEL", "help_option_names": ["-h", "--help"]},
)
def group() -> None:
    """Build, inspect, verify and evaluate models."""


@group.command("build")
@_LABELS
@click.option("--keras", type=_FILE, help="Take the layers of this .keras Sequential instead of the default network.")
@click.option("--name", help="What to call the model (default: the label set).")
@click.option("--out", type=_FILE, required=True, help="The folder to write.")
@_JSON
def build(labels: str, *, keras: Path | None, name: str | None, out: Path, as_json: bool) -> None:
    """Build a model's two programs; needs TensorFlow (pip install 'inkfleet[build]').

    Example: inkfleet model build --labels arithmetic --keras mine.keras --out models/mine
    """
    if out.exists() and not out.is_dir():
        raise SettingsError(f"--out {out} is a file; give a folder")
    from tflite_models.build.artefacts import build_model
    from tflite_models.build.keras_import import load_keras

    architecture = load_keras(keras) if keras is not None else None
    bundle = build_model(label_set(labels), architecture=architecture, name=name)
    bundle.save(out)
    if as_json:
        _print_json(_summary(bundle) | {"out": str(out)})
    else:
        click.echo(f"{out}: {bundle.manifest.name}, {_parameters(bundle):,} parameters, sha256 {bundle.sha256}")


@group.command("inspect")
@click.argument("model")
@_JSON
def inspect(model: str, *, as_json: bool) -> None:
    """Show a model's layers, parameters, signatures, ops and sizes.

    MODEL is a folder, or the name of a model that ships with Inkfleet.

    Example: inkfleet model inspect arithmetic
    """
    bundle = _open(model)
    summary = _summary(bundle)
    if as_json:
        _print_json(summary)
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    manifest = bundle.manifest
    console.print(f"{manifest.name}: {len(manifest.labels)} labels ({manifest.label_set}), sha256 {bundle.sha256}")
    layers = Table("layer", "kind", "output", "parameters", title="Layers", title_justify="left")
    for layer in summary["layers"]:
        shape = "×".join(map(str, layer["output"]))
        layers.add_row(layer["name"], layer["kind"], shape, f"{layer['parameters']:,}")
    console.print(layers)
    parts = Table("signature", "file", "inputs", "ops", title="Signatures", title_justify="left")
    for signature in summary["signatures"]:
        ops = ", ".join(f"{count} {name}" for name, count in list(signature["ops"].items())[:4])
        parts.add_row(signature["name"], signature["file"], ", ".join(signature["inputs"]), ops)
    console.print(parts)
    console.print(
        f"{summary['parameters']:,} parameters, {summary['weights_bytes']:,} bytes of weights; "
        + ", ".join(f"{file['name']} {file['size_bytes']:,} bytes" for file in summary["files"])
    )


@group.command("verify")
@click.argument("model")
@click.option("--rebuild", is_flag=True, help="Build it again and compare the bytes; needs TensorFlow.")
@_JSON
def verify(model: str, *, rebuild: bool, as_json: bool) -> None:
    """Check a model's hashes, ops and signatures, and run one training step.

    MODEL is a folder, or the name of a model that ships with Inkfleet.

    Example: inkfleet model verify models/mine
    """
    bundle = _open(model)
    from tflite_models.runtime.verification import Check
    from tflite_models.runtime.verification import verify as check_all

    checks = check_all(bundle)
    if rebuild:
        checks.append(Check("same bytes", _rebuilt(bundle)))
    if as_json:
        _print_json({"ok": True, "sha256": bundle.sha256, "checks": {check.name: check.detail for check in checks}})
        return
    for check in checks:
        click.echo(f"ok  {check.name}: {check.detail}")


@group.command("evaluate")
@click.option("--weights", type=_FILE, required=True, help="The .safetensors of a run.")
@click.option("--data", type=_FILE, required=True, help="A labelled dataset: npz, zip, folder or store.")
@_LABELS
@click.option("--model", help="A model's folder (default: the one that ships for the label set).")
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="CPU threads.")
@_JSON
def evaluate(weights: Path, *, data: Path, labels: str, model: str | None, threads: int, as_json: bool) -> None:
    """Measure weights on a dataset: accuracy, loss and which labels are taken for which.

    Example: inkfleet model evaluate --weights runs/demo/weights.safetensors --data digits.npz --json
    """
    bundle = _open(model or labels)
    from deploy.datasets import open_any
    from tflite_models.runtime.evaluation import evaluate as measure
    from tflite_models.runtime.reader import FrozenReader
    from tflite_models.runtime.weights import load_weights

    classes = bundle.manifest.label_set_object()
    reader = FrozenReader(bundle, weights=load_weights(weights, bundle.manifest), threads=threads)
    dataset = open_any(data, labels=classes).dataset
    found = measure(reader, dataset.images, classes.encode(dataset.labels.tolist()))
    if as_json:
        _print_json(
            {
                "accuracy": found.accuracy,
                "loss": found.loss,
                "samples": found.samples,
                "labels": list(classes.labels),
                "confusion": found.confusion.tolist(),
            }
        )
        return
    click.echo(f"accuracy {found.accuracy:.2%}, loss {found.loss:.4f}, {found.samples:,} samples")
    for count, true, taken in _mistakes(found.confusion)[:10]:
        click.echo(f"  {classes.labels[true]} taken for {classes.labels[taken]}: {count}")


def _open(model: str) -> ModelBundle:
    from tflite_models.bundle import ModelBundle, builtin_bundle, builtin_names

    if model in builtin_names():
        return builtin_bundle(model)
    if not Path(model).is_dir():
        raise ModelError(f"no model at {model!r}; give a folder, or one of {', '.join(builtin_names())}")
    return ModelBundle.load(Path(model))


def _parameters(bundle: ModelBundle) -> int:
    return sum(spec.size for spec in bundle.manifest.parameters)


def _summary(bundle: ModelBundle) -> dict[str, Any]:
    from tflite_models.flatbuffer import parse, signatures

    manifest = bundle.manifest
    sizes = {spec.name: spec.size for spec in manifest.parameters}
    layers = [
        {
            **layer.model_dump(mode="json"),
            "output": list(out),
            "parameters": sum(size for name, size in sizes.items() if name.rpartition(".")[0] == layer.name),
        }
        for layer, _, out in manifest.architecture().outputs()
    ]
    found = [
        {
            "name": signature.name,
            "file": file.name,
            "inputs": {tensor.name: list(tensor.shape) for tensor in signature.inputs},
            "outputs": {tensor.name: list(tensor.shape) for tensor in signature.outputs},
            "ops": signature.ops,
        }
        for file, data in ((manifest.program, bundle.program), (manifest.reader, bundle.reader))
        for signature in signatures(parse(data, name=file.name))
    ]
    return {
        "name": manifest.name,
        "sha256": bundle.sha256,
        "label_set": manifest.label_set,
        "labels": list(manifest.labels),
        "layers": layers,
        "parameters": _parameters(bundle),
        "weights_bytes": 4 * _parameters(bundle),
        "batch": manifest.batch,
        "optimizers": list(manifest.optimizers),
        "signatures": found,
        "files": [manifest.program.model_dump(), manifest.reader.model_dump()],
        "versions": manifest.versions,
    }


def _rebuilt(bundle: ModelBundle) -> str:
    from tflite_models.build.artefacts import build_model

    manifest = bundle.manifest
    again = build_model(
        manifest.label_set_object(), architecture=manifest.architecture(), name=manifest.name, batch=manifest.batch
    )
    if again.manifest.versions != manifest.versions:
        raise ModelError(f"it was built with {manifest.versions}, here is {again.manifest.versions}; use the same")
    for name, one, other in (
        ("train.tflite", bundle.program, again.program),
        ("reader.tflite", bundle.reader, again.reader),
        ("manifest.json", bundle.manifest_bytes, again.manifest_bytes),
    ):
        if one != other:
            raise ModelError(f"{name} comes out different when it is built again; build the model anew")
    return "a fresh build gives the same three files"


def _mistakes(confusion: Any) -> list[tuple[int, int, int]]:
    pairs = [
        (int(count), true, taken)
        for true, row in enumerate(confusion)
        for taken, count in enumerate(row)
        if true != taken and count
    ]
    return sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2]))


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))
